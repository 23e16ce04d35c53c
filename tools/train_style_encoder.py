"""Train the maps from faces to styles, and say what they are worth.

    python tools/show_styles.py --out build/shown_styles.npz
    python tools/train_style_encoder.py --pictures build/shown_styles.npz --motion build/motion.npz \
        --data ../shared/data

"pictures" learns from portraits that show drawn styles, read by the landmark model; each sitter is held out
in turn. "tracks" learns from the weights themselves, speech and gestures on top, and is tested on clips of
persons drawn afterwards. Real clips at hand are then read: GRID's talker, who sits still and neutral, and
ARKit's range of motion. Writes engine/assets/style_encoder.npz with the training record inside.
"""

from __future__ import annotations

import argparse
import gzip
import json
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from expression import LIVELINESS, Person, draw_style, gesture_factor, gesture_with_voice, liveliness
from numpy.typing import NDArray
from torch import nn

from mien.engine import style_encoder
from mien.engine.emotion import EMOTIONS, MANNER_RANGE, MANNER_SLICE
from mien.engine.emotion_space import FELT, intensity_of
from mien.engine.landmarks import SCORED_SHAPES
from mien.engine.motion import INDEX, MOUTH_SLICE, ROTATION_SLICE, SHAPE_SLICE
from mien.engine.style_encoder import READ_SHAPES, WEIGHTS, load_maps, movement, read_track
from mien.web.style_source import style_of_file

HIDDEN: Final = 48
STEPS: Final = 900
BATCH: Final = 128
CLIPS: Final = 500
TEST_CLIPS: Final = 200
FRAMES_A_CLIP: Final = 6

JUDGED_ONLY: Final = ("reader", "brooch", "red_chair")
"""Sitters whose pictures may be used to judge by, and not to train shipped weights."""

Floats = NDArray[np.float32]


class Map(nn.Module):
    """Shapes -> logits of the seven emotions' shares, and of their strength."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(len(READ_SHAPES), HIDDEN)
        self.outer = nn.Linear(HIDDEN, len(FELT) + 1)

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """Return float32[faces, 8] for standardised shapes."""
        return self.outer(torch.relu(self.inner(faces)))


def fit(faces: Floats, felt: Floats, *, noise: float) -> tuple[Map, Floats, Floats]:
    """Fit a map; returns it with the mean and the deviation that it takes its shapes by.

    noise: deviation of what is added to standardised shapes, for faces whose rest is another.
    """
    torch.manual_seed(0)
    mean, std = faces.mean(axis=0), np.maximum(faces.std(axis=0), 0.02)
    inputs, wanted = torch.from_numpy((faces - mean) / std), torch.from_numpy(felt)
    strength = wanted.sum(dim=1)
    shares = wanted / strength.clamp(min=1e-6)[:, None]
    net = Map()
    adam = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(inputs), (BATCH,))
        read = net(inputs[chosen] + noise * torch.randn(BATCH, len(READ_SHAPES)))
        missed = -(shares[chosen] * read[:, :-1].log_softmax(dim=1)).sum(dim=1)
        counts = 2 * strength[chosen].clamp(max=0.5)
        error = (torch.sigmoid(read[:, -1]) - strength[chosen]).square()
        loss = (counts * missed + 12 * error).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return net.eval(), mean, std


@torch.no_grad()
def apply(fitted: tuple[Map, Floats, Floats], faces: Floats) -> Floats:
    """Return what a map reads in each face, float32[faces, 7]."""
    net, mean, std = fitted
    read = net(torch.from_numpy((faces - mean) / std))
    return (torch.sigmoid(read[:, -1:]) * read[:, :-1].softmax(dim=1)).numpy()


def score(read: Floats, truth: Floats) -> dict[str, float]:
    """Compare what was read with what was shown, both float32[n, 7], by emotion and by strength."""
    strength, shown = read.sum(axis=1), truth.sum(axis=1)
    clear = shown > 0.3
    names = read[clear].argmax(axis=1) == truth[clear].argmax(axis=1)
    return {
        "strongest_emotion_right_from_intensity_1": float(names.mean()),
        "chance": float(1 / len(FELT)),
        "intensity_correlation": float(np.corrcoef(strength, shown)[0, 1]),
        "intensity_mean_error": float(3 * np.abs(strength - shown).mean()),
        "neutral_read_as": float(3 * strength[shown < 0.02].mean()),
    }


def rounded(scores: dict[str, float]) -> dict[str, float]:
    """Return scores fit to print."""
    return {name: round(float(value), 3) for name, value in scores.items()}


def train_on_pictures(path: Path) -> tuple[tuple[Map, Floats, Floats], dict[str, float]]:
    """Fit to pictures, and score it with every sitter held out in turn."""
    with np.load(path) as file:
        order = [SCORED_SHAPES[1:].index(name) for name in READ_SHAPES]
        faces, felt, sitters = file["scores"][:, order], file["styles"][:, list(FELT)], file["sitters"]
    free = ~np.isin(sitters, JUDGED_ONLY)
    read = np.zeros_like(felt)
    for sitter in sorted(set(sitters[free])):
        held = sitters == sitter
        read[held] = apply(fit(faces[free & ~held], felt[free & ~held], noise=0.6), faces[held])
        print(f"  {sitter}:", rounded(score(read[held], felt[held])), flush=True)
    fitted = fit(faces[free], felt[free], noise=0.6)
    read[~free] = apply(fitted, faces[~free])
    scores = score(read, felt) | {"pictures": len(felt), "sitters": len(set(sitters))}
    return fitted, rounded(scores)


def draw_clip(rng: np.random.Generator, speech: dict[str, Any]) -> tuple[Floats, Floats]:
    """Draw a person who says a recorded sentence in a style: float32[frames, 60], float32[11]."""
    clip = int(rng.choice(speech["spoken"]))
    taken = slice(int(speech["start"][clip]), int(speech["start"][clip] + min(speech["frames"][clip], 150)))
    effort, rest = speech["effort"][taken], speech["rest"][taken]
    style, person = draw_style(rng, neutral=0.25), Person.draw(rng)
    gestures = gesture_factor(style) * gesture_with_voice(rng, effort, rest)
    motion = gestures + person.show(rng, style, effort)
    mouth = np.nan_to_num(speech["mouth"][taken])[:, : MOUTH_SLICE.stop - MOUTH_SLICE.start]
    motion[:, MOUTH_SLICE] += mouth
    motion[:, INDEX["mouthClose"]] = 0.0  # the wanted lip gap stands there
    motion[:, SHAPE_SLICE] = motion[:, SHAPE_SLICE].clip(0, 1)
    return motion.astype(np.float32), style


def shapes_of(motion: Floats) -> Floats:
    """Return the shapes that are read, float32[frames, 51]."""
    return motion[:, [INDEX[name] for name in READ_SHAPES]]


def train_on_tracks(speech: dict[str, Any]) -> tuple[tuple[Map, Floats, Floats], Floats]:
    """Fit to frames of drawn clips; returns the map, and how far head and brows usually move."""
    rng = np.random.default_rng(1)
    faces, felt, moved = [], [], []
    for _ in range(CLIPS):
        motion, style = draw_clip(rng, speech)
        some = rng.integers(len(motion), size=FRAMES_A_CLIP)
        faces.append(shapes_of(motion)[some])
        felt.append(np.repeat(style[None, list(FELT)], FRAMES_A_CLIP, axis=0))
        usual = movement(shapes_of(motion), motion[:, ROTATION_SLICE]) / liveliness(style)
        moved.append(usual / np.float32(MANNER_RANGE) ** style[MANNER_SLICE][:2])
    return fit(np.concatenate(faces), np.concatenate(felt), noise=0.2), np.median(moved, axis=0)


def score_tracks(speech: dict[str, Any]) -> dict[str, float]:
    """Read clips of persons drawn afresh."""
    rng = np.random.default_rng(2)
    pairs = [draw_clip(rng, speech) for _ in range(TEST_CLIPS)]
    read = np.stack([read_track(motion) for motion, _ in pairs])
    truth = np.stack([style for _, style in pairs])
    scores = score(read[:, list(FELT)], truth[:, list(FELT)])
    strong = truth[:, list(FELT)].sum(axis=1) > 0.3
    for axis, name in enumerate(("head_movement", "brow_movement", "asymmetry")):
        place = len(EMOTIONS) + axis
        kept = strong if name == "asymmetry" else np.ones(len(truth), bool)
        scores[f"{name}_correlation"] = float(np.corrcoef(read[kept, place], truth[kept, place])[0, 1])
    return rounded(scores | {"clips": TEST_CLIPS})


def describe(style: Floats) -> str:
    """Return a style in words."""
    felt = sorted(((3 * style[place], EMOTIONS[place]) for place in FELT), reverse=True)[:3]
    manner = ", ".join(f"{value:+.2f}" for value in style[MANNER_SLICE])
    return ", ".join(f"{name} {value:.2f}" for value, name in felt) + f"; head, brows, side {manner}"


def read_real_clips(data: Path) -> None:
    """Print what is read in clips of real people."""
    with np.load(data / "grid" / "blendshapes_pose_25fps.npz") as file:
        names = [str(name) for name in file["names"]]
        faces = file["bs"][:, [names.index(name) for name in READ_SHAPES]].astype(np.float32)
        starts = file["offsets"]
    felt = load_maps()["pictures"].read(faces)
    clips = np.stack([np.nanmean(felt[a:b], axis=0) for a, b in pairwise(starts)])
    strength = 3 * clips.sum(axis=1)
    strongest = [EMOTIONS[FELT[place]] for place in np.bincount(clips.argmax(axis=1)).argsort()[::-1][:2]]
    print(
        f"GRID's talker, {len(clips)} clips: intensity {strength.mean():.2f} (0 would be neutral), mostly",
        strongest,
    )
    for path in sorted((data / "motion" / "arkit_range_of_motion" / "anim").glob("*.csv.gz")):
        with TemporaryDirectory() as folder:
            track = Path(folder) / "track.csv"
            track.write_bytes(gzip.decompress(path.read_bytes()))
            style = style_of_file(track)
        print(f"{path.name}: {describe(style)}; intensity {intensity_of(style):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the maps from faces to styles.")
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--motion", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with np.load(arguments.motion) as file:
        speech = {name: file[name] for name in ("start", "frames", "effort", "rest", "mouth")}
    speech["spoken"] = [
        clip
        for clip, (start, frames) in enumerate(zip(speech["start"], speech["frames"], strict=True))
        if frames >= 60 and speech["rest"][start : start + min(frames, 150)].mean() < 0.6
    ]
    pictures, picture_scores = train_on_pictures(arguments.pictures)
    print("pictures, sitters held out:", picture_scores, flush=True)
    tracks, usual = train_on_tracks(speech)
    lively = np.array([LIVELINESS.get(EMOTIONS[place], 1.0) - 1 for place in FELT], np.float32)
    record: dict[str, Any] = {
        "data": "portraits of mien that show drawn persons (tools/expression.py); nothing filmed",
        "licence": "Apache-2.0",
        "pictures_sitters_held_out": picture_scores,
    }
    arrays: dict[str, Any] = {}
    for source, (net, mean, std) in (("pictures", pictures), ("tracks", tracks)):
        values = {name.replace(".", "_"): value.detach().numpy() for name, value in net.named_parameters()}
        values |= {"mean": mean, "std": std, "usual_movement": usual, "liveliness": lively}
        arrays |= {f"{source}_{name}": value.astype(np.float32) for name, value in values.items()}
    np.savez_compressed(WEIGHTS, record=np.array(json.dumps(record)), **arrays)
    style_encoder.load_maps.cache_clear()
    record["tracks_persons_held_out"] = score_tracks(speech)
    print("tracks, persons held out:", record["tracks_persons_held_out"], flush=True)
    np.savez_compressed(WEIGHTS, record=np.array(json.dumps(record)), **arrays)
    read_real_clips(arguments.data)


if __name__ == "__main__":
    main()
