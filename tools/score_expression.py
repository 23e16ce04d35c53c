"""Score what is not the mouth: emotion, head, blinks and gaze, as a live stream makes them.

Everything goes through mien.engine.performer with the shipped nets. Prints a line for each matter and writes
JSON. What is the truth comes from GRID's filmed talker, a man who reads sentences and sits still; he is the
average that a manner of 0 stands for.

- head: deviations within half a second, and the spectrum, beside the filmed ones; by manner; idle and talk.
- style: brows, eyes, cheeks and nose reached against what tools/expression.py authored (the same author as in
  training), for every emotion, intensity and seed, and whether it grows with them; how soon after a change.
- seams: third derivative where windows join against inside them, for several hops.
- silence: lip motion, blinks a minute, gaze shifts.
- lips: jaw and lip gap against the film, neutral and under every emotion at 3.
- hour: an hour of speech in virtual time: variance of the last minutes against the first, its drift, memory.
"""

import argparse
import gc
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from augmentation import Sound, read_sound
from expression import PROTOTYPE_MATRIX
from grid_mouth import FilmedMouth, held_out, read_filmed
from numpy.typing import NDArray

from mien.engine.config import MotionConfig
from mien.engine.emotion import EMOTIONS, Emotion, Manner, Style
from mien.engine.head import mouth_opening
from mien.engine.lips import MOUTH_INDEX, OnnxLipRefiner
from mien.engine.motion import CHANNEL_NAMES, GAZE_SLICE, INDEX, ROTATION_SLICE
from mien.engine.performer import Performer
from mien.engine.sampler import SAMPLED_INDEX, OnnxDenoiser
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

HALF_SECOND: Final = FRAME_RATE // 2
BANDS_HZ: Final = ((0.3, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.5), (4.5, 6.0))
FELT: Final = [emotion for emotion in Emotion if emotion is not Emotion.NEUTRAL]
FACE: Final = [index for index in SAMPLED_INDEX if not CHANNEL_NAMES[index].startswith("head")]
SETTLED: Final = 2 * FRAME_RATE
"""Frames after which a stream is awake and a style has been reached."""

Motion = NDArray[np.float32]
Scores = dict[str, object]


class Player:
    """Runs sound through the nets of one folder."""

    def __init__(self, nets: Path) -> None:
        self._nets = {"denoiser": OnnxDenoiser(nets), "lip_refiner": OnnxLipRefiner(nets)}

    def open(self, *, seed: int = 0, config: MotionConfig | None = None) -> Performer:
        """Begin a stream."""
        return Performer(
            config,
            seed=seed,
            denoiser=self._nets["denoiser"],  # type: ignore[arg-type]
            lip_refiner=self._nets["lip_refiner"],  # type: ignore[arg-type]
        )

    def play(
        self, sound: Sound, *, style: Style | None = None, seed: int = 0, config: MotionConfig | None = None
    ) -> Motion:
        """Return a recording's motion, float32[frames, 60]."""
        performer = self.open(seed=seed, config=config)
        if style:
            performer.set_style(style)
        return np.concatenate([performer.push(sound), performer.flush()])


def deviations(tracks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the standard deviation within every half second of some tracks, float64[pieces, channels]."""
    pieces = []
    for track in tracks:
        whole = len(track) // HALF_SECOND * HALF_SECOND
        pieces.append(track[:whole].reshape(-1, HALF_SECOND, track.shape[1]).std(axis=1))
    return np.concatenate(pieces)


def spectrum(tracks: Sequence[NDArray[np.float64]]) -> dict[str, list[float]]:
    """Return the RMS in each band of BANDS_HZ, over three-second pieces under a Hann window."""
    length = 3 * FRAME_RATE - 1
    window = np.hanning(length)[:, None]
    pieces = [
        track[start : start + length]
        for track in tracks
        for start in range(0, len(track) - length + 1, length)
    ]
    power = np.mean([np.abs(np.fft.rfft(window * (p - p.mean(axis=0)), axis=0)) ** 2 for p in pieces], axis=0)
    power *= 2 / (window**2).sum() / FRAME_RATE
    hertz = np.fft.rfftfreq(length, 1 / FRAME_RATE)
    return {
        f"{low:g}-{high:g} Hz": list(np.sqrt(power[(hertz >= low) & (hertz < high)].sum(axis=0) * hertz[1]))
        for low, high in BANDS_HZ
    }


def describe_head(tracks: Sequence[NDArray[np.float64]]) -> Scores:
    """Return how a head moves (pitch, yaw, roll, in degrees): half-second deviations and spectrum."""
    degrees = [np.degrees(track) for track in tracks]
    within = deviations(degrees)
    return {
        "half second, mean": within.mean(axis=0).tolist(),
        "p90": np.percentile(within, 90, axis=0).tolist(),
        **spectrum(degrees),
    }


def head_of(motion: Motion) -> NDArray[np.float64]:
    return motion[SETTLED:, ROTATION_SLICE].astype(np.float64)


def score_head(player: Player, speech: Sound, filmed: Sequence[FilmedMouth]) -> dict[str, Scores]:
    """Compare the head with the filmed one's; by manner, in silence, and on both sides of the switch."""
    whole = [clip.head[:, :3] for clip in filmed if np.isfinite(clip.head).all()]
    rows = {"filmed": describe_head(whole)}
    for movement in (-1.0, 0.0, 1.0):
        style = Style(manner=Manner(head_movement=movement))
        motions = [player.play(speech, style=style, seed=seed) for seed in range(3)]
        rows[f"talk, head movement {movement:+g}"] = describe_head([head_of(m) for m in motions])
    silence = np.zeros(len(speech), np.float32)
    rows["idle"] = describe_head([head_of(player.play(silence, seed=seed)) for seed in range(3)])
    return rows


def score_switch(player: Player, speech: Sound) -> Scores:
    """Compare the face's largest step where speech begins and ends with its steps elsewhere, in 3 seeds."""
    quiet = np.zeros(4 * SAMPLE_RATE, np.float32)
    sound = np.concatenate([quiet, speech[: 6 * SAMPLE_RATE], quiet])
    switches = [4 * FRAME_RATE, 10 * FRAME_RATE]
    ratios = []
    for seed in range(3):
        steps = np.abs(np.diff(player.play(sound, seed=seed)[:, SAMPLED_INDEX], axis=0))
        near = np.concatenate([steps[at - 5 : at + 10] for at in switches]).max(axis=0)
        ratios.append(near / np.maximum(np.percentile(steps[SETTLED:], 99.5, axis=0), 1e-4))
    return {"largest step at a switch, times the 99.5th percentile": float(np.max(ratios))}


def reached(motion: Motion, emotion: Emotion) -> float:
    """Return how much of an emotion's authored face is on: 1 is all of it at full intensity."""
    face = PROTOTYPE_MATRIX[EMOTIONS.index(emotion), FACE].astype(np.float64)
    return float((motion[:, FACE].mean(axis=0) @ face) / (face @ face))


def score_style(player: Player, speech: Sound, seeds: int) -> dict[str, Scores]:
    """Return, for each emotion, how much of its face shows at intensities 0 to 3, over seeds."""
    rows: dict[str, Scores] = {}
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    for emotion in FELT:
        talk, quiet = [], []
        for intensity in (0.0, 1.0, 2.0, 3.0):
            style = Style(emotion, intensity)
            talk.append([reached(player.play(speech, style=style, seed=seed)[SETTLED:], emotion)
                         for seed in range(seeds)])  # fmt: skip
            quiet.append(reached(player.play(silence, style=style, seed=1)[SETTLED:], emotion))
        shown = np.array(talk)
        rows[emotion.value] = {
            "asked": [0, 0.33, 0.67, 1],
            "in speech": shown.mean(axis=1).tolist(),
            "spread over seeds": float(shown.std(axis=1).max()),
            "in silence": quiet,
            "monotone": bool((np.diff(shown, axis=0) > 0).all() and (np.diff(quiet) > 0).all()),
        }
    return rows


def score_change(player: Player, speech: Sound, seeds: int) -> Scores:
    """Return the frames after a change, at 3, until nine tenths of the way are done: median and worst."""
    frames = []
    half = len(speech) // 2 // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME
    for seed in range(seeds):
        for before, after in zip(FELT, [*FELT[1:], FELT[0]], strict=True):
            performer = player.open(seed=seed)
            performer.set_style(Style(before, 3.0))
            first = performer.push(speech[:half])
            performer.set_style(Style(after, 3.0))
            second = performer.push(speech[half:])
            way = second[-2 * FRAME_RATE :].mean(axis=0) - first[-FRAME_RATE:].mean(axis=0)
            share = (second - first[-FRAME_RATE:].mean(axis=0))[:, FACE] @ way[FACE] / (way[FACE] @ way[FACE])
            frames.append(int(np.argmax(share > 0.9)))
    return {"seconds to 90 %, median": float(np.median(frames)) / FRAME_RATE,
            "worst": max(frames) / FRAME_RATE, "changes": len(frames)}  # fmt: skip


def score_seams(player: Player, speech: Sound) -> Scores:
    """Return, for each hop, the third derivative across the joins of windows against that inside them."""
    scores: Scores = {}
    for hop in (2, 4, 8):
        across, inside = [], []
        for seed in range(3):
            config = MotionConfig(hop_frames=hop)
            motion = player.play(speech, seed=seed, style=Style(Emotion.HAPPY, 2.0), config=config)
            jerk = np.abs(np.diff(motion[: len(motion) // hop * hop, SAMPLED_INDEX], n=3, axis=0))
            # Entry k spans frames k .. k + 3; a window of `hop` frames begins at every multiple of it.
            crosses = np.array([(k + 3) // hop > k // hop for k in range(len(jerk))])
            steady = np.arange(len(jerk)) > SETTLED
            if hop < 4:  # every span of four frames crosses a join: compare with hop 1, which has no inside
                alone = player.play(speech, seed=seed, style=Style(Emotion.HAPPY, 2.0))
                inside.append(np.abs(np.diff(alone[:, SAMPLED_INDEX], n=3, axis=0))[SETTLED:].mean(axis=0))
            else:
                inside.append(jerk[steady & ~crosses].mean(axis=0))
            across.append(jerk[steady & crosses].mean(axis=0))
        scores[f"hop {hop}"] = float(np.mean(across) / np.mean(inside))
    return scores


def score_chunking(player: Player, speech: Sound) -> Scores:
    """Return the largest difference between a stream fed at once and fed in 10 ms, 33 ms and odd pieces."""
    whole = player.play(speech, style=Style(Emotion.SAD, 2.0), seed=5)
    worst = 0.0
    for samples in (160, 528, 997):
        performer = player.open(seed=5)
        performer.set_style(Style(Emotion.SAD, 2.0))
        pieces = [performer.push(speech[at : at + samples]) for at in range(0, len(speech), samples)]
        made = np.concatenate([*pieces, performer.flush()])
        worst = max(worst, float(np.abs(made - whole).max()))
    return {"largest difference": worst}


def score_silence(player: Player, speech: Sound) -> Scores:
    """Return lip motion in silence as a share of speech's, and blinks and gaze shifts a minute, in both."""
    minutes = 4
    silence = np.zeros(minutes * 60 * SAMPLE_RATE, np.float32)
    light = MotionConfig(steps=1)
    idle = player.play(silence, seed=2, config=light)
    talk = player.play(np.resize(speech, len(silence)), seed=2, config=light)

    def lip_motion(motion: Motion) -> float:
        return float(np.sqrt((np.diff(motion[SETTLED:, MOUTH_INDEX], axis=0) ** 2).mean()))

    def blinks(motion: Motion) -> NDArray[np.int64]:
        shut = motion[:, INDEX["eyeBlinkLeft"]] > 0.5
        return np.flatnonzero(shut[1:] & ~shut[:-1])

    def shifts(motion: Motion) -> int:
        speed = np.degrees(np.abs(np.diff(motion[:, GAZE_SLICE], axis=0)).max(axis=1)) * FRAME_RATE
        return int(((speed[1:] > 15) & (speed[:-1] <= 15)).sum())

    pauses = np.diff(blinks(idle)) / FRAME_RATE
    return {
        "lip motion, share of speech": lip_motion(idle) / lip_motion(talk),
        "blinks a minute, silence": len(blinks(idle)) / minutes,
        "blinks a minute, speech": len(blinks(talk)) / minutes,
        "pause between blinks, p10 p50 p90 s": np.percentile(pauses, [10, 50, 90]).tolist(),
        "gaze shifts a minute": shifts(idle) / minutes,
    }


def score_lips(player: Player, filmed: dict[str, FilmedMouth], sounds: dict[str, Sound]) -> dict[str, Scores]:
    """Return the correlation of jaw and gap with the film, neutral and under each emotion at 3."""
    rows: dict[str, Scores] = {}
    light = MotionConfig(steps=1)
    for emotion in (Emotion.NEUTRAL, *FELT):
        jaws, gaps, true_jaws, true_gaps = [], [], [], []
        for clip, sound in sounds.items():
            motion = player.play(sound, style=Style(emotion, 3.0), config=light)
            frames = slice(10, min(len(motion), len(filmed[clip].jaw)))
            jaws.append(motion[frames, INDEX["jawOpen"]])
            gaps.append(mouth_opening(motion)[frames])
            true_jaws.append(filmed[clip].jaw[frames])
            true_gaps.append(filmed[clip].gap[frames])
        rows[emotion.value] = {
            "jaw r": float(np.corrcoef(np.concatenate(jaws), np.concatenate(true_jaws))[0, 1]),
            "gap r": float(np.corrcoef(np.concatenate(gaps), np.concatenate(true_gaps))[0, 1]),
        }
    neutral = rows["neutral"]
    for row in rows.values():
        row["share of neutral"] = [row[key] / neutral[key] for key in ("jaw r", "gap r")]  # type: ignore[operator]
    return rows


def score_hour(player: Player, speech: Sound, minutes: int) -> Scores:
    """Play the same minute of speech round and round for an hour of virtual time, at default settings.

    The variance of two minutes differs from that of other two by chance alone: how much, the standard
    deviation over all pairs of minutes says, and the slope of a straight line through them tells a drift.
    """
    performer = player.open(seed=3)
    performer.set_style(Style(Emotion.HAPPY, 2.0))
    minute = np.resize(speech, 60 * SAMPLE_RATE)
    pairs = minutes // 2
    means = np.zeros((pairs, len(SAMPLED_INDEX)))
    variances = np.zeros_like(means)
    held = []
    performer.push(minute[: 5 * SAMPLE_RATE])
    tracemalloc.start()
    for pair in range(pairs):
        motion = np.concatenate([performer.push(minute), performer.push(minute)])[:, SAMPLED_INDEX]
        means[pair], variances[pair] = motion.mean(axis=0), motion.var(axis=0)
        del motion
        gc.collect()
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    usual = variances.mean(axis=0)
    moving = usual > 1e-6
    level = (variances / np.maximum(usual, 1e-6))[:, moving].mean(axis=1)
    slope, _ = np.polyfit(np.linspace(0, 1, pairs), level, 1)
    shift = np.abs(means[-1] - means[0])[moving] / np.sqrt(usual[moving])
    return {
        "minutes": minutes,
        "variance, last two minutes against first two": float(level[-1] / level[0]),
        "its standard deviation from two minutes to two": float(level.std(ddof=1)),
        "its change over the whole time, by a straight line": float(slope),
        "largest change of a channel's mean, in deviations": float(shift.max()),
        "kB gained from the fourth minute to the last": (held[-1] - held[min(1, pairs - 1)]) / 1000,
    }


def show(title: str, scores: Scores) -> None:
    """Print one line."""

    def text(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.3f}"
        if isinstance(value, list):
            return "[" + " ".join(text(part) for part in value) + "]"
        return str(value)

    print(f"{title:26}", "  ".join(f"{key} {text(value)}" for key, value in scores.items()), flush=True)


PARTS: Final = ("head", "switch", "style", "change", "seams", "chunking", "silence", "lips", "hour")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--landmarks", type=Path, required=True, help="npz of tools/label_grid.py")
    parser.add_argument("--nets", type=Path, default=Path("engine/assets"), help="folder of the nets")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=60, help="how long the hour is")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()

    player = Player(arguments.nets)
    filmed = read_filmed(arguments.landmarks, arguments.data / "grid/blendshapes_pose_25fps.npz")
    tests = sorted(clip for clip in filmed if held_out(clip))
    sounds = {clip: read_sound(arguments.data / f"grid/audio/{clip}.flac") for clip in tests}
    speech = np.concatenate(list(sounds.values()))[: 12 * SAMPLE_RATE]
    longer = np.concatenate(list(sounds.values()))
    few = dict(list(sounds.items())[:12])
    parts = {
        "head": lambda: score_head(player, longer[: 40 * SAMPLE_RATE], list(filmed.values())),
        "switch": lambda: {"": score_switch(player, speech)},
        "style": lambda: score_style(player, speech[: 6 * SAMPLE_RATE], arguments.seeds),
        "change": lambda: {"": score_change(player, speech, arguments.seeds)},
        "seams": lambda: {"": score_seams(player, speech)},
        "chunking": lambda: {"": score_chunking(player, speech[: 4 * SAMPLE_RATE])},
        "silence": lambda: {"": score_silence(player, longer)},
        "lips": lambda: score_lips(player, filmed, few),
        "hour": lambda: {"": score_hour(player, longer, arguments.minutes)},
    }
    scores: dict[str, dict[str, Scores]] = {}
    for part in arguments.parts:
        scores[part] = parts[part]()
        for title, row in scores[part].items():
            show(f"{part} {title}", row)
    arguments.out.write_text(json.dumps(scores, indent=1))


if __name__ == "__main__":
    main()
