"""A lip-sync expert: a small net that learned which sound belongs to which mouth, and says who is in sync.

After SyncNet (Chung and Zisserman 2016): one encoder for 200 ms of sound, one for 200 ms of mouth (jaw, lip
gap and rounding), compared by their cosine. Training pulls the right pair together against every other
moment of the same stretch of speech (InfoNCE: van den Oord et al. 2018, equation 4), which makes it strict
about time. It learns from the training's GRID films and Kokoro's articulation, and judges held-out ones: the
film, our lips, and the baselines, each with the sound shifted by -5..5 frames. A mouth in sync peaks at 0.
A few minutes on one thread; the expert is for measuring and does not ship.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lip_measures import Score, score, share_of
from numpy.typing import NDArray
from players import Mouth, Player, loudness_jaw, viseme_player
from recordings import Recording, read_recordings
from score_motion import add_sources, plain, sources_of
from torch import Tensor, nn
from torch.nn import functional
from training import blur_level

from mien.engine.features import BINS, ROWS_PER_FRAME, log_mel_whole

SPAN: Final = 5
"""Frames in a window: 200 ms, as in the paper."""

STRETCH: Final = 40
"""Frames of speech in a training example."""

BATCH: Final = 16
STEPS: Final = 1200
LEARNING_RATE: Final = 1e-3
TRACKS: Final = ("jaw", "gap", "rounding")
SHIFTS: Final = tuple(range(-5, 6))
"""Frames by which the sound is moved to later."""

WIDTH: Final = 64
WARMTH: Final = 12.0
"""Inverse temperature of the softmax over cosines, to begin with."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Sound and mouth of one recording: float32[4 * frames, BINS] and float32[frames, 3]."""

    sound: Floats
    mouth: Floats


class Expert(nn.Module):
    """Encoders of sound and mouth, and the warmth of their comparison."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.sound = nn.Sequential(
            nn.Conv1d(BINS, 96, 5, stride=2, padding=2), nn.GELU(),
            nn.Conv1d(96, 96, 5, stride=2, padding=2), nn.GELU(),
            nn.Flatten(), nn.Linear(96 * SPAN, 128), nn.GELU(), nn.Linear(128, WIDTH),
        )  # fmt: skip
        self.mouth = nn.Sequential(
            nn.Linear(SPAN * len(TRACKS), 128),
            nn.GELU(),
            nn.Linear(128, 128),
            nn.GELU(),
            nn.Linear(128, WIDTH),
        )
        self.warmth = nn.Parameter(torch.tensor(WARMTH))
        self.register_buffer("scale", torch.ones(len(TRACKS)))

    def hear(self, sound: Tensor) -> Tensor:
        """Encode every window: [..., 4 * frames, BINS] -> unit vectors [..., frames - SPAN + 1, WIDTH]."""
        windows = sound.unfold(-2, ROWS_PER_FRAME * SPAN, ROWS_PER_FRAME)
        heard = self.sound(windows.flatten(0, -3)).unflatten(0, windows.shape[:-2])
        return functional.normalize(heard, dim=-1)

    def see(self, mouth: Tensor) -> Tensor:
        """Encode every window: [..., frames, 3] -> unit vectors [..., frames - SPAN + 1, WIDTH]."""
        windows = (mouth / self.scale).unfold(-2, SPAN, 1)
        return functional.normalize(self.mouth(windows.flatten(-2)), dim=-1)


def pair_of(recording: Recording, mouth: Mouth | Recording) -> Pair:
    """Return a recording's sound with a mouth made for it, or its own."""
    tracks = [getattr(mouth, name) for name in TRACKS]
    frames = min(recording.frames, *(len(track) for track in tracks))
    sound = log_mel_whole(recording.sound)[: ROWS_PER_FRAME * frames]
    return Pair(sound, np.stack([track[:frames] for track in tracks], axis=1).astype(np.float32))


def pairs_of(recordings: Sequence[Recording], mouths: Sequence[Mouth]) -> list[Pair]:
    """Return recordings with made mouths, each track as wide over the whole set as the truth's.

    Systems differ in how far they move, which says nothing of their time.
    """
    pairs = [pair_of(r, m) for r, m in zip(recordings, mouths, strict=True)]
    wanted = np.concatenate([pair_of(r, r).mouth for r in recordings]).std(axis=0)
    made = np.concatenate([pair.mouth for pair in pairs]).std(axis=0)
    factor = np.where(made > 1e-6, wanted / np.maximum(made, 1e-6), 1.0).astype(np.float32)
    return [Pair(pair.sound, pair.mouth * factor) for pair in pairs]


def train(pairs: Sequence[Pair], seed: int, steps: int) -> Expert:
    """Train an expert on matching pairs; every other moment of a stretch is a mismatch."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in pairs if len(pair.mouth) > STRETCH]
    expert = Expert()
    expert.scale.copy_(torch.from_numpy(np.concatenate([pair.mouth for pair in pairs]).std(axis=0)))
    optimiser = torch.optim.AdamW(expert.parameters(), LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    losses = []
    for step in range(steps):
        drawn = [draw_stretch(rng, pairs[place]) for place in rng.integers(len(pairs), size=BATCH)]
        sounds, mouths = zip(*drawn, strict=True)
        loss = mismatch(expert, torch.stack(sounds), torch.stack(mouths))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if (step + 1) % 100 == 0:
            print(f"step {step + 1}: loss {np.mean(losses[-100:]):.3f}", flush=True)
    return expert.eval()


def draw_stretch(rng: np.random.Generator, pair: Pair) -> tuple[Tensor, Tensor]:
    """Cut a stretch out of a pair, its sound a little louder, softer or duller."""
    first = int(rng.integers(len(pair.mouth) - STRETCH))
    sound = pair.sound[ROWS_PER_FRAME * first : ROWS_PER_FRAME * (first + STRETCH)]
    return torch.from_numpy(blur_level(rng, sound)), torch.from_numpy(pair.mouth[first : first + STRETCH])


def mismatch(expert: Expert, sound: Tensor, mouth: Tensor) -> Tensor:
    """Return the InfoNCE loss of B stretches: each moment's mouth must find its sound, and the reverse."""
    likeness = expert.warmth * expert.hear(sound) @ expert.see(mouth).transpose(1, 2)
    right = torch.arange(likeness.shape[1]).expand(len(likeness), -1)
    found = functional.cross_entropy(likeness, right) + functional.cross_entropy(
        likeness.transpose(1, 2), right
    )
    return found / 2


@torch.no_grad()
def cosines(expert: Expert, pair: Pair) -> NDArray[np.float64]:
    """Return the mean cosine at each of SHIFTS, float64[shifts], over the same moments of the mouth."""
    heard, seen = expert.hear(torch.from_numpy(pair.sound)), expert.see(torch.from_numpy(pair.mouth))
    reach = max(SHIFTS)
    inner = seen[reach : len(seen) - reach]
    # Sound moved to later by s frames: the mouth of frame k meets the sound that belonged to frame k - s.
    met = [heard[reach - shift : len(heard) - reach - shift] for shift in SHIFTS]
    return np.array([float((inner * sound).sum(dim=-1).mean()) for sound in met])


def judge(expert: Expert, pairs: Sequence[Pair]) -> dict[str, Score | list[float]]:
    """Return a set's mean cosine by shift, how far zero stands out, and how many clips peak there."""
    curves = np.array([cosines(expert, pair) for pair in pairs if len(pair.mouth) > 4 * SPAN])
    best = curves.argmax(axis=1)
    ones, zero = np.ones(len(curves)), SHIFTS.index(0)
    away = np.median(curves, axis=1)
    return {
        "cosine_by_shift": curves.mean(axis=0).round(4).tolist(),
        "cosine_at_zero": score(np.stack([curves[:, zero], ones], axis=1), share_of),
        "confidence": score(np.stack([curves[:, zero] - away, ones], axis=1), share_of),
        "clips_that_peak_at_zero": score(np.stack([best == zero, ones], axis=1).astype(float), share_of),
        "clips_that_peak_within_one": score(
            np.stack([abs(best - zero) <= 1, ones], axis=1).astype(float), share_of
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_sources(parser)
    parser.add_argument(
        "--expert", type=Path, required=True, help="the expert: used if it exists, else trained"
    )
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()

    sources = sources_of(arguments)
    if arguments.expert.exists():
        expert = Expert()
        expert.load_state_dict(torch.load(arguments.expert, weights_only=True))
        expert.eval()
    else:
        training = [
            r for some in read_recordings(sources, ("grid", "kokoro"), training=True).values() for r in some
        ]
        expert = train([pair_of(r, r) for r in training], arguments.seed, arguments.steps)
        torch.save(expert.state_dict(), arguments.expert)

    player, targets, result = Player(arguments.nets), sources.targets(), {}
    for name, recordings in read_recordings(sources, ("grid", "kokoro", "readers")).items():
        mouths = player.mouths([recording.sound for recording in recordings])
        judged = {
            "the film" if name == "grid" else "authored": [pair_of(r, r) for r in recordings],
            "mien, live": pairs_of(recordings, mouths),
            "viseme player, true phonemes": pairs_of(
                recordings, [viseme_player(r, targets) for r in recordings]
            ),
            "envelope jaw": pairs_of(recordings, [loudness_jaw(r) for r in recordings]),
        }
        result[name] = {system: plain(judge(expert, pairs)) for system, pairs in judged.items()}
        for system, row in result[name].items():
            print(f"{name}, {system}: {row}", flush=True)
    arguments.out.write_text(json.dumps({"shifts": SHIFTS, "sets": result}, indent=1))


if __name__ == "__main__":
    main()
