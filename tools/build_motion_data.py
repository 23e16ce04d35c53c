"""Join speech and mouths into one set for training: `motion.npz`.

Real mouths: GRID (tools/label_grid.py) and FACEGOOD. Authored mouths (tools/articulation.py, fitted to
GRID): Kokoro's speech (tools/speak_kokoro.py), accented readers and LJSpeech (tools/align_speech.py). Silence
and noise with a resting mouth. Every clip is stored clean and in several spoilt copies. Held-out clips,
voices, languages and readers never enter; clips to choose by, and FACEGOOD, the one other talker with curves,
enter clean and marked. About five minutes on one core. Arrays, all frames of all clips behind one another:

  features float16[4 * frames, 64]   mien.engine.features
  mouth    float32[frames, 28]       MOUTH_SLICE and tongueOut, with the wanted lip gap in mouthClose's place
  closed   float32[frames]           1 inside p, b, m
  effort   float32[frames]           loudness about the clip's mean, in standard deviations
  rest     float32[frames]           1 where nobody speaks, 0 within a tenth of a second of speech
  viseme   int8[frames]              place in articulation.VISEMES of what is said, -1 unknown
  face     float32[frames, 32]       the other 32 channels where they were filmed, else NaN
  start, frames int64[clips], domain int64[clips] (place in `domains`), kept_out bool[clips] from training
  valid    bool[domains, 28]         which mouth channels a domain knows
  targets  float64[visemes, articulators]: what was fitted
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from articulation import (
    ARTICULATORS,
    CLOSURES,
    PLACE,
    SILENCE,
    Curves,
    Phone,
    articulate,
    fit_targets,
    gesture,
    pause,
    phones_from_arpabet,
    phones_from_kokoro,
    viseme_classes,
)
from augmentation import (
    SPEEDS,
    Sound,
    change_speed,
    noise_alone,
    quiet_stretches,
    read_sound,
    set_level,
    spoil,
)
from grid_mouth import FilmedMouth, held_out, read_filmed, validates
from numpy.typing import NDArray

from mien.engine.features import log_mel_whole
from mien.engine.motion import CHANNEL_NAMES, INDEX, MOUTH_SLICE, SHAPES
from mien.engine.timebase import FRAME_RATE, SAMPLES_PER_FRAME

MOUTH_NAMES: Final = (*SHAPES[MOUTH_SLICE], "tongueOut")
MOUTH_PLACE: Final = {name: index for index, name in enumerate(MOUTH_NAMES)}
GAP: Final = MOUTH_PLACE["mouthClose"]
"""Where the wanted lip gap stands, in place of mouthClose."""

FACE_NAMES: Final = tuple(name for name in CHANNEL_NAMES if name not in MOUTH_PLACE)
DOMAINS: Final = ("grid", "kokoro", "aligned", "facegood", "noise")

MEASURED: Final = ("jaw", "gap", "pucker", "upper_up")

CLOSED_GAP: Final = -0.3
SILENT_GAP: Final = -0.12
"""Wanted gaps under zero: lips pressed together. A net that errs a little still leaves them shut."""

FACEGOOD_RATE: Final = 30
FACEGOOD_GAIN: Final = {"jawOpen": 1.2, "mouthFunnel": 1.5, "mouthPucker": 1.3, "mouthRollLower": 1.5}

Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording with its mouth; the targets' frames may be fewer than the sound's."""

    domain: str
    sound: Sound
    mouth: Frames
    closed: Frames
    rest: Frames
    face: Frames
    viseme: NDArray[np.int8]
    kept_out: bool = False


def to_mouth(curves: Curves) -> Frames:
    """Spread articulators over the 28 channels, float32[frames, 28]: both sides alike."""
    mouth = np.zeros((len(curves), len(MOUTH_NAMES)), np.float32)
    singles = {
        "jaw": "jawOpen", "gap": "mouthClose", "funnel": "mouthFunnel", "pucker": "mouthPucker",
        "roll_lower": "mouthRollLower", "roll_upper": "mouthRollUpper", "shrug_lower": "mouthShrugLower",
        "shrug_upper": "mouthShrugUpper", "tongue": "tongueOut", "jaw_forward": "jawForward",
    }  # fmt: skip
    pairs = {
        "stretch": "mouthStretch", "smile": "mouthSmile", "dimple": "mouthDimple", "press": "mouthPress",
        "lower_down": "mouthLowerDown", "upper_up": "mouthUpperUp",
    }  # fmt: skip
    for articulator, channel in singles.items():
        mouth[:, MOUTH_PLACE[channel]] = curves[:, PLACE[articulator]]
    for articulator, channel in pairs.items():
        for side in ("Left", "Right"):
            mouth[:, MOUTH_PLACE[channel + side]] = curves[:, PLACE[articulator]]
    return mouth


def loudness(features: Frames) -> Frames:
    """Return each video frame's loudness about the mean of the speech, in standard deviations."""
    level = features.mean(axis=1).reshape(-1, 4).mean(axis=1)
    smooth = np.convolve(np.pad(level, 2, mode="edge"), np.ones(5) / 5, "valid")
    floor, top = np.percentile(smooth, [10, 95])
    speech = smooth[smooth > floor + 0.35 * (top - floor)]
    if len(speech) < 3:
        return np.zeros(len(level), np.float32)
    return ((smooth - speech.mean()) / max(float(speech.std()), 0.05)).clip(-3, 3).astype(np.float32)


def silence_mask(phones: Sequence[Phone], frames: int) -> Frames:
    """Return 1 where nobody speaks, falling to 0 over the tenth of a second before and after speech."""
    return np.clip(seconds_from_speech(phones, frames) / 0.1 - 0.5, 0, 1).astype(np.float32)


def seconds_from_speech(phones: Sequence[Phone], frames: int) -> NDArray[np.float64]:
    """Return how far each frame is from the nearest sound of speech, in seconds."""
    times = (np.arange(frames) + 0.5) / FRAME_RATE
    away = np.full(frames, 9.0)
    for phone in phones:
        if phone.symbol != SILENCE:
            away = np.minimum(away, np.maximum(np.maximum(phone.start - times, times - phone.end), 0))
    return away


def authored(phones: Sequence[Phone], sound: Sound, targets: Curves) -> tuple[Frames, Frames, Frames, Curves]:
    """Return mouth, closed and rest for speech with known phones, and the curves they came from."""
    frames = len(sound) // SAMPLES_PER_FRAME
    effort = loudness(log_mel_whole(set_level(sound, -24))[: 4 * frames])
    curves = articulate(phones, frames, targets, effort=effort.astype(np.float64))
    return *finish(curves, phones), curves


def finish(curves: Curves, phones: Sequence[Phone]) -> tuple[Frames, Frames, Frames]:
    """Press the lips together in closures and in silence; return mouth, closed and rest."""
    times = (np.arange(len(curves)) + 0.5) / FRAME_RATE
    closed = gesture(phones, times, CLOSURES)
    rest = silence_mask(phones, len(curves))
    pressed = curves.copy()
    pressed[:, PLACE["gap"]] += CLOSED_GAP * closed**2 + SILENT_GAP * rest
    pressed[:, PLACE["gap"]] = pressed[:, PLACE["gap"]].clip(CLOSED_GAP, 1.3)
    return to_mouth(pressed), closed.astype(np.float32), rest


def no_face(frames: int) -> Frames:
    return np.full((frames, len(FACE_NAMES)), np.nan, np.float32)


def grid_clip(sound: Sound, filmed: FilmedMouth, phones: Sequence[Phone], targets: Curves) -> Clip:
    """Join what was filmed with what no landmark shows: funnel, rolls, teeth, tongue come from the phones."""
    frames = min(len(sound) // SAMPLES_PER_FRAME, len(filmed.jaw))
    _, _, _, curves = authored(phones, sound[: frames * SAMPLES_PER_FRAME], targets)
    times = (np.arange(frames) + 0.5) / FRAME_RATE
    closed = gesture(phones, times, CLOSURES)
    curves[:, PLACE["jaw"]] = filmed.jaw[:frames]
    curves[:, PLACE["gap"]] = filmed.gap[:frames] * (1 - closed)
    curves[:, PLACE["pucker"]] = 0.7 * filmed.pucker[:frames] + 0.3 * curves[:, PLACE["pucker"]]
    curves[:, PLACE["upper_up"]] = 0.5 * filmed.upper_up[:frames] + 0.5 * curves[:, PLACE["upper_up"]]
    # He parts his lips to breathe long before he speaks. No sound tells of it: on a live face it is a fault.
    curves *= (1 - np.clip((seconds_from_speech(phones, frames) - 0.12) / 0.15, 0, 1))[:, None]
    mouth, shut, rest = finish(curves, phones)
    heard = sound[: frames * SAMPLES_PER_FRAME]
    face = _filmed_face(filmed, frames)
    return Clip("grid", heard, mouth, shut, rest, face, viseme_classes(phones, frames))


def _filmed_face(filmed: FilmedMouth, frames: int) -> Frames:
    """Return the channels beside the mouth: scores about the clip's median, and the head."""
    face = np.zeros((frames, len(FACE_NAMES)), np.float32)
    for name in ("browDownLeft", "browDownRight", "eyeSquintLeft", "eyeSquintRight"):
        track = filmed.scores[name][:frames]
        face[:, FACE_NAMES.index(name)] = np.clip(track - np.quantile(track, 0.2), 0, 0.4)
    for place, name in enumerate(CHANNEL_NAMES[INDEX["headPitch"] : INDEX["headPitch"] + 6]):
        face[:, FACE_NAMES.index(name)] = np.clip(filmed.head[:frames, place], -0.15, 0.15)
    face[~filmed.seen[:frames]] = np.nan
    return face


def facegood_clips(folder: Path) -> Iterator[Clip]:
    """Yield the animator-made pairs in pieces of about 10 s, at 25 frames a second."""
    for path in sorted(folder.glob("*.flac")):
        sound = read_sound(path)
        with np.load(path.with_name(f"{path.stem}_30fps.npz"), allow_pickle=False) as pair:
            weights, names = pair["arkit_mouth"], [str(name) for name in pair["arkit_names"]]
        frames = min(len(sound) // SAMPLES_PER_FRAME, int(len(weights) / FACEGOOD_RATE * FRAME_RATE))
        at, made = (np.arange(frames) + 0.5) / FRAME_RATE, (np.arange(len(weights)) + 0.5) / FACEGOOD_RATE
        mouth = np.zeros((frames, len(MOUTH_NAMES)), np.float32)
        for name, gain in FACEGOOD_GAIN.items():
            mouth[:, MOUTH_PLACE[name]] = gain * np.interp(at, made, weights[:, names.index(name)])
        for first in range(0, frames - 100, 250):
            piece = slice(first, min(first + 250, frames))
            part = mouth[piece]
            zeros = np.zeros(len(part), np.float32)
            samples = sound[piece.start * SAMPLES_PER_FRAME : piece.stop * SAMPLES_PER_FRAME]
            unknown = np.full(len(part), -1, np.int8)
            yield Clip("facegood", samples, part, zeros, zeros, no_face(len(part)), unknown, kept_out=True)


def authored_clip(domain: str, sound: Sound, phones: Sequence[Phone], targets: Curves) -> Clip:
    """Give speech with known phones its mouth."""
    mouth, closed, rest, _ = authored(phones, sound, targets)
    frames = len(mouth)
    return Clip(domain, sound, mouth, closed, rest, no_face(frames), viseme_classes(phones, frames))


def kokoro_clips(folder: Path, targets: Curves) -> Iterator[Clip]:
    for line in (folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["held_out"]:
            continue
        sound = read_sound(folder / f"{entry['name']}.flac")
        phones = pause(phones_from_kokoro(entry["phonemes"]), quiet_stretches(sound))
        clip = authored_clip("kokoro", sound, phones, targets)
        yield replace(clip, kept_out=validates(entry["name"]))


def aligned_clips(
    data: Path, phones: dict[str, list[tuple[str, float, float]]], targets: Curves
) -> Iterator[Clip]:
    for name, symbols in phones.items():
        corpus, _ = name.split("/")
        if corpus == "grid" or held_out(reader_of(name)):
            continue
        sound = read_sound(speech_path(data, name))
        heard = pause(phones_from_arpabet(symbols), quiet_stretches(sound, below_db=30))
        yield authored_clip("aligned", sound, heard, targets)


def reader_of(name: str) -> str:
    """Return who speaks in a recording, so that people and not clips are held out."""
    corpus, clip = name.split("/")
    return clip[:5] if corpus == "speechocean" else name


def speech_path(data: Path, name: str) -> Path:
    corpus, clip = name.split("/")
    if corpus == "speechocean":
        return data / f"speech/speechocean/flac/{clip}.flac"
    return data / f"speech/ljspeech/tests/data/ljspeech/wavs/{clip}.flac"


def noise_clips(rng: np.random.Generator, count: int) -> Iterator[Clip]:
    frames = 125
    for place in range(count):
        samples = frames * SAMPLES_PER_FRAME
        sound = np.zeros(samples, np.float32) if place % 8 == 0 else noise_alone(rng, samples)
        mouth = np.zeros((frames, len(MOUTH_NAMES)), np.float32)
        mouth[:, GAP] = SILENT_GAP
        zeros, ones = np.zeros(frames, np.float32), np.ones(frames, np.float32)
        yield Clip("noise", sound, mouth, zeros, ones, no_face(frames), viseme_classes([], frames))


def warped(track: Frames, frames: int, speed: float) -> Frames:
    """Return a track as it is when its sound plays at another speed, [frames, ...]."""
    at = ((np.arange(frames) + 0.5) * speed - 0.5).clip(0, len(track) - 1)
    low = np.floor(at).astype(int).clip(0, max(len(track) - 2, 0))
    share = (at - low).astype(np.float32)
    share = share.reshape(-1, *[1] * (track.ndim - 1))
    return (1 - share) * track[low] + share * track[np.minimum(low + 1, len(track) - 1)]


def spoilt_copy(rng: np.random.Generator, clip: Clip, others: list[Sound]) -> Clip:
    """Return the clip as another speaker, microphone and room might give it; noise gives way to new noise."""
    if clip.domain == "noise":
        return replace(clip, sound=noise_alone(rng, len(clip.sound)))
    speed = float(rng.choice(SPEEDS)) if rng.random() < 0.6 else 1.0
    sound = change_speed(clip.sound, speed) if speed != 1.0 else clip.sound
    frames = min(len(sound) // SAMPLES_PER_FRAME, int(len(clip.mouth) / speed))
    sound = spoil(rng, sound[: frames * SAMPLES_PER_FRAME], others)
    tracks = (warped(track, frames, speed) for track in (clip.mouth, clip.closed, clip.rest, clip.face))
    nearest = ((np.arange(frames) + 0.5) * speed).astype(int).clip(0, len(clip.viseme) - 1)
    return Clip(clip.domain, sound, *tracks, clip.viseme[nearest])


def valid_channels() -> NDArray[np.bool_]:
    valid = np.ones((len(DOMAINS), len(MOUTH_NAMES)), bool)
    valid[DOMAINS.index("facegood")] = [name in FACEGOOD_GAIN for name in MOUTH_NAMES]
    return valid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--landmarks", type=Path, required=True, help="npz of tools/label_grid.py")
    parser.add_argument("--phones", type=Path, required=True, help="JSON of tools/align_speech.py")
    parser.add_argument(
        "--speech", type=Path, nargs="+", required=True, help="folders of tools/speak_kokoro.py"
    )
    parser.add_argument("--copies", type=int, default=4, help="spoilt copies of each clip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    arguments = parser.parse_args()

    rng = np.random.default_rng(arguments.seed)
    phones = json.loads(arguments.phones.read_text())
    filmed = read_filmed(arguments.landmarks, arguments.data / "grid/blendshapes_pose_25fps.npz")
    said = {
        clip: pause(phones_from_arpabet(phones[f"grid/{clip}"]), [])
        for clip in filmed
        if not held_out(clip) and f"grid/{clip}" in phones
    }
    targets = fit_targets(
        [
            (said[clip], {name: getattr(filmed[clip], name) for name in MEASURED})
            for clip in said
            if not validates(clip)
        ]
    )

    clips: list[Clip] = []
    for clip in said:
        sound = read_sound(arguments.data / f"grid/audio/{clip}.flac")
        clips.append(replace(grid_clip(sound, filmed[clip], said[clip], targets), kept_out=validates(clip)))
    for folder in arguments.speech:
        clips += kokoro_clips(folder, targets)
    clips += aligned_clips(arguments.data, phones, targets)
    clips += facegood_clips(arguments.data / "facegood/pairs")
    clips += noise_clips(rng, 120)
    for domain in DOMAINS:
        minutes = sum(len(clip.mouth) for clip in clips if clip.domain == domain) / FRAME_RATE / 60
        print(
            f"{domain}: {sum(clip.domain == domain for clip in clips)} clips, {minutes:.1f} minutes",
            flush=True,
        )

    others = [clip.sound for clip in clips if clip.domain in ("kokoro", "aligned")]
    features, mouths, closed, effort, rest, face, frames, domains = [], [], [], [], [], [], [], []
    visemes, kept_out = [], []
    for copy in range(arguments.copies + 1):
        for clip in clips:
            if copy and clip.kept_out:
                continue
            made = clip if copy == 0 else spoilt_copy(rng, clip, others)
            heard = log_mel_whole(made.sound[: len(made.mouth) * SAMPLES_PER_FRAME])
            features.append(heard.astype(np.float16))
            mouths.append(made.mouth)
            closed.append(made.closed)
            effort.append(loudness(heard))
            rest.append(made.rest)
            face.append(made.face)
            frames.append(len(made.mouth))
            domains.append(DOMAINS.index(made.domain))
            visemes.append(made.viseme)
            kept_out.append(made.kept_out)
        print(f"copy {copy} of {arguments.copies}", flush=True)
    counts = np.array(frames)
    np.savez(
        arguments.out,
        features=np.concatenate(features),
        mouth=np.concatenate(mouths),
        closed=np.concatenate(closed),
        effort=np.concatenate(effort),
        rest=np.concatenate(rest),
        face=np.concatenate(face),
        viseme=np.concatenate(visemes),
        kept_out=np.array(kept_out),
        start=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        frames=counts,
        domain=np.array(domains),
        domains=np.array(DOMAINS),
        valid=valid_channels(),
        targets=targets,
        articulators=np.array(ARTICULATORS),
        copies=arguments.copies,
    )


if __name__ == "__main__":
    main()
