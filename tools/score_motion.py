"""Score the motion nets on speech and faces they never saw, as a live stream would use them.

Everything goes through the exported nets as a live stream does (players.py), beside
baselines in the same run (players.py, open_packages.py). recordings.py says what the test sets are and what
their truth is worth, lip_measures.py what is measured; brackets are 95 % intervals over clips. Prints tables
in Markdown and writes JSON, from which plot_motion.py fills docs/motion. Three minutes on one core.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from augmentation import add_background, coloured_noise, set_level
from film_lips import FilmedLips, best_gain, lip_distance, lips_of
from lip_measures import (
    CLOSURES,
    LIP_TEETH,
    NO_LIP_TEETH,
    ROUNDED,
    UNROUNDED,
    Score,
    acceleration_ratio,
    amplitude_ratio,
    closure_precision,
    closure_recall,
    correlation,
    correlation_change,
    correlation_share,
    lag_ms,
    open_vowels_shut,
    recall_at,
    speaking,
)
from open_packages import package_mouths
from players import (
    Mouth,
    Player,
    envelope,
    filmed_mouth,
    loudness_jaw,
    mouth_of,
    viseme_player,
)
from recordings import Recording, Sources, read_recordings, spoil_each

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Style
from mien.engine.lips import MOUTH_INDEX
from mien.engine.motion import INDEX, neutral_motion
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE

WHOLE_WINDOWS: Final = MotionConfig(hop_frames=16, look_ahead_frames=7)
"""Offline: all that a window of 24 frames has room for."""

LIVE: Final = "mien, live"
LIVE_ALONE: Final = "mien, live, the mouth alone"
OFFLINE: Final = "mien, whole windows, the mouth alone"
FILM: Final = "the film on our rig"
WAKING_S: Final = 0.4
"""What a stream's first moments, in which it wakes, are left out of in silence."""

FITTED: Final = 64
"""Recordings of the training, of each set, on which maps from visemes to mouths are fitted."""

MOVED: Final = 6
FELT: Final = 2
"""Recordings in which emotions are measured: on the lips at intensity 3, on the face at 1, 2 and 3."""

Row = dict[str, Score]


def measure(recordings: Sequence[Recording], mouths: Sequence[Mouth]) -> Row:
    """Return all measures of one system on one set that the set has a truth for."""
    row: Row = {}
    pairs = list(zip(recordings, mouths, strict=True))
    for name in ("jaw", "gap", "rounding"):
        wanted = [getattr(recording, name) for recording, _ in pairs]
        if any(track is None for track in wanted):
            continue
        made = [getattr(mouth, name)[: len(track)] for (_, mouth), track in zip(pairs, wanted, strict=True)]
        wanted = [track[: len(track_made)] for track, track_made in zip(wanted, made, strict=True)]
        if max(track.std() for track in made) < 1e-6:
            continue
        row[f"{name}_r"] = correlation(made, wanted)
        if all(recording.phones for recording, _ in pairs):
            near = [
                speaking(recording.phones, len(track))
                for (recording, _), track in zip(pairs, made, strict=True)
            ]
            row[f"{name}_r_speaking"] = correlation(
                [track[frames] for track, frames in zip(made, near, strict=True)],
                [track[frames] for track, frames in zip(wanted, near, strict=True)],
            )
        if name != "rounding":
            row[f"{name}_acceleration"] = acceleration_ratio(made, wanted)
            row[f"{name}_amplitude"] = amplitude_ratio(made, wanted)
            row[f"{name}_lag_ms"] = lag_ms(made, wanted)
    spoken = [recording.phones for recording in recordings]
    if any(phone.symbol in CLOSURES for phones in spoken for phone in phones):
        gaps = [mouth.gap for mouth in mouths]
        row["closed_on_pbm"] = closure_recall(spoken, gaps)
        row["closures_that_are_pbm"] = closure_precision(spoken, gaps)
        row["open_vowels_shut"] = open_vowels_shut(spoken, gaps)
        row["rounded_on_oo_w"] = recall_at(spoken, [m.rounding for m in mouths], ROUNDED, UNROUNDED)
        row["lip_teeth_on_f_v"] = recall_at(spoken, [m.lip_teeth for m in mouths], LIP_TEETH, NO_LIP_TEETH)
    row |= measure_film(recordings, mouths)
    return row


def measure_film(recordings: Sequence[Recording], mouths: Sequence[Mouth]) -> Row:
    """Return how far lips are from filmed ones, as they are and at the one gain that suits them best."""
    films = [recording.film for recording in recordings if isinstance(recording.film, FilmedLips)]
    motions = [mouth.motion for mouth in mouths if mouth.motion is not None]
    if len(films) != len(recordings) or len(motions) != len(recordings):
        return {}
    made, filmed = [lips_of(motion) for motion in motions], [film.moved for film in films]
    gain = best_gain(made, filmed)
    return {
        "lip_distance": lip_distance(made, filmed),
        "lip_distance_scaled": lip_distance([gain * lips for lips in made], filmed),
    }


def systems(
    player: Player,
    name: str,
    recordings: Sequence[Recording],
    fitted_on: Sequence[Recording],
    sources: Sources,
    packages: Path | None,
) -> dict[str, list[Mouth]]:
    """Return the mouths of every system on one set."""
    targets = sources.targets()
    sounds = [recording.sound for recording in recordings]
    made = {LIVE_ALONE: player.mouths(sounds), OFFLINE: player.mouths(sounds, WHOLE_WINDOWS)}
    if name == "grid":
        made = {LIVE: [mouth_of(player.play(sound)) for sound in sounds], **made}
    made["envelope jaw"] = [loudness_jaw(recording) for recording in recordings]
    if not any(recording.phones for recording in recordings):
        return made
    made["viseme player, true phonemes"] = [viseme_player(recording, targets) for recording in recordings]
    if packages:
        made |= package_mouths(packages, recordings, fitted_on)
    if name == "grid":
        made["still mouth"] = [mouth_of(neutral_motion(recording.frames)) for recording in recordings]
        made[FILM] = [filmed_mouth(recording) for recording in recordings]
    return made


def score_spoilt(player: Player, recordings: Sequence[Recording], clean: Sequence[Mouth]) -> dict[str, Row]:
    """Return what noise and levels cost on GRID: r, and its change on the same clips."""
    rng = np.random.default_rng(0)
    spoilt = {
        "noise at 15 dB": lambda sound: add_background(rng, sound, 15.0, []),
        "noise at 5 dB": lambda sound: add_background(rng, sound, 5.0, []),
        "speech at -45 dB": lambda sound: set_level(sound, -45.0),
        "speech at -12 dB": lambda sound: set_level(sound, -12.0),
    }
    return {
        name: changes(recordings, player.mouths(spoil_each(recordings, spoil)), clean)
        for name, spoil in spoilt.items()
    }


def changes(recordings: Sequence[Recording], mouths: Sequence[Mouth], before: Sequence[Mouth]) -> Row:
    """Return r of jaw and gap, their change from `before`, and closures."""
    row: Row = {}
    for name in ("jaw", "gap"):
        wanted = [getattr(recording, name) for recording in recordings]
        made, clean = (
            [getattr(m, name)[: len(t)] for m, t in zip(some, wanted, strict=True)]
            for some in (mouths, before)
        )
        row[f"{name}_r"] = correlation(made, wanted)
        row[f"{name}_r_change"] = correlation_change(made, clean, wanted)
    row["closed_on_pbm"] = closure_recall([r.phones for r in recordings], [mouth.gap for mouth in mouths])
    return row


def live_share(recordings: Sequence[Recording], live: Sequence[Mouth], offline: Sequence[Mouth]) -> Row:
    """Return what share of the offline setting's r the live one has."""
    row = {}
    for name in ("jaw", "gap"):
        wanted = [getattr(recording, name) for recording in recordings]
        made, best = (
            [getattr(m, name)[: len(t)] for m, t in zip(some, wanted, strict=True)]
            for some in (live, offline)
        )
        row[f"{name}_r_share"] = correlation_share(made, best, wanted)
    return row


def against_sound(recordings: Sequence[Recording], mouths: Sequence[Mouth]) -> Row:
    """Return r of jaw and gap with the sound's loudness, all that is known of the actors.

    No mouth can reach 1: m, n, oo and s are loud with the lips nearly shut. The filmed talker says how far
    real ones go.
    """
    loud = [envelope(r.sound, len(m.jaw)) ** 0.6 for r, m in zip(recordings, mouths, strict=True)]
    return {
        "jaw_loudness_r": correlation([mouth.jaw for mouth in mouths], loud),
        "gap_loudness_r": correlation([mouth.gap for mouth in mouths], loud),
    }


def score_silence(player: Player, speech: Sequence[Mouth]) -> dict[str, dict[str, float]]:
    """Return the lips' motion and gap under silence, as shares of their RMS in speech."""
    rng = np.random.default_rng(0)
    seconds = 12
    hiss = coloured_noise(rng, seconds * SAMPLE_RATE, 0.0)
    room = coloured_noise(rng, seconds * SAMPLE_RATE, 1.0)
    quiet = {
        "digital": np.zeros(seconds * SAMPLE_RATE, np.float32),
        "-60 dB hiss": hiss * np.float32(10 ** (-60 / 20)),
        "-45 dB room": room * np.float32(10 ** (-45 / 20)),
        "-35 dB room": room * np.float32(10 ** (-35 / 20)),
    }

    def moving(mouths: Sequence[Mouth]) -> float:
        steps = [np.diff(m.motion[:, MOUTH_INDEX], axis=0) for m in mouths if m.motion is not None]
        return float(np.sqrt(np.mean(np.concatenate(steps) ** 2)))

    def parted(mouths: Sequence[Mouth]) -> float:
        return float(np.sqrt(np.mean(np.concatenate([mouth.gap for mouth in mouths]) ** 2)))

    result = {}
    for name, sound in quiet.items():
        still = [mouth_of(player.speak(sound, MotionConfig())[round(FRAME_RATE * WAKING_S) :])]
        result[name] = {"motion": moving(still) / moving(speech), "gap": parted(still) / parted(speech)}
    return result


def score_emotions(player: Player, filmed: Sequence[Recording]) -> dict[str, Any]:
    """Return how far the face goes from neutral for each emotion at 1, 2, 3, and what 3 costs the lips."""
    channels = [i for name, i in INDEX.items() if name.startswith(("brow", "cheek", "nose", "eyeSq", "eyeW"))]
    corners = [INDEX[name] for name in INDEX if name.startswith(("mouthSmile", "mouthFrown", "mouthStretch"))]
    rest = [player.play(recording.sound) for recording in filmed]
    neutral = [mouth_of(motion) for motion in rest]
    result: dict[str, Any] = {}
    for emotion in Emotion:
        if emotion is Emotion.NEUTRAL:
            continue
        row: dict[str, Any] = {"face": [], "corners": []}
        for intensity, clips in ((1.0, FELT), (2.0, FELT), (3.0, len(filmed))):
            style = Style(emotion, intensity)
            motions = [player.play(recording.sound, style=style) for recording in filmed[:clips]]
            pairs = zip(motions[:FELT], rest[:FELT], strict=True)
            apart = np.concatenate([felt[10:] - calm[10:] for felt, calm in pairs]).mean(axis=0)
            row["face"].append(round(float(np.abs(apart[channels]).sum()), 3))
            row["corners"].append(round(float(np.abs(apart[corners]).sum()), 3))
        row["lips at 3"] = plain(changes(filmed, [mouth_of(motion) for motion in motions], neutral))
        result[emotion.value] = row
    return result


def plain(value: Any) -> Any:
    """Turn scores into what JSON knows: [value, low, high]."""
    if isinstance(value, Score):
        return [round(float(part), 4) for part in dataclasses.astuple(value)]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return value


def show(title: str, rows: dict[str, Row]) -> None:
    """Print a Markdown table: measures down, systems across."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    print(f"\n### {title}\n\n| | {' | '.join(rows)} |\n|{'---|' * (len(rows) + 1)}")
    for name in names:
        cells = [str(row[name]) if name in row else "" for row in rows.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_sources(parser)
    parser.add_argument(
        "--packages", type=Path, help="folder for the open packages; without it they are left out"
    )
    parser.add_argument(
        "--other-trainings", type=Path, nargs="*", default=[], help="folders of nets trained from other seeds"
    )
    parser.add_argument("--quick", action="store_true", help="leave out emotions and spoilt sound")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()

    sources, player = sources_of(arguments), Player(arguments.nets)
    sets = read_recordings(sources)
    training = (
        read_recordings(sources, ("grid", "kokoro"), training=True, most=FITTED) if arguments.packages else {}
    )
    scores: dict[str, Any] = {"recordings": {name: len(some) for name, some in sets.items()}, "sets": {}}
    kept: dict[str, dict[str, list[Mouth]]] = {}
    for name in sets:
        if name == "actors":
            continue
        fitted_on = training.get("grid" if name == "grid" else "kokoro", [])
        kept[name] = systems(player, name, sets[name], fitted_on, sources, arguments.packages)
        rows = {system: measure(sets[name], mouths) for system, mouths in kept[name].items()}
        scores["sets"][name] = plain(rows)
        show(f"{name}, {len(sets[name])} recordings", rows)

    def note(title: str, rows: dict[str, Row]) -> None:
        scores[title] = plain(rows)
        show(title, rows)

    live = kept["grid"][LIVE_ALONE]
    compared = ("grid", "kokoro")
    shares = {name: live_share(sets[name], kept[name][LIVE_ALONE], kept[name][OFFLINE]) for name in compared}
    note("live over offline", shares)
    actors = player.mouths([recording.sound for recording in sets["actors"]])
    note("against the sound's loudness", {
        "mien, actors": against_sound(sets["actors"], actors),
        "mien, grid": against_sound(sets["grid"], live),
        "the film, grid": against_sound(sets["grid"], kept["grid"][FILM]),
    })  # fmt: skip
    if arguments.other_trainings:
        note("other trainings, grid", {
            folder.name: measure(sets["grid"], Player(folder).mouths([r.sound for r in sets["grid"]]))
            for folder in arguments.other_trainings
        })  # fmt: skip
    scores["silence, share of speech"] = score_silence(player, kept["kokoro"][LIVE_ALONE])
    print(f"\nsilence, share of speech: {scores['silence, share of speech']}", flush=True)
    if not arguments.quick:
        note("spoilt sound, grid", score_spoilt(player, sets["grid"], live))
        scores["emotions"] = score_emotions(player, sets["grid"][:MOVED])
        for emotion, row in scores["emotions"].items():
            print(emotion, row, flush=True)
    arguments.out.write_text(json.dumps(scores, indent=1))


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where the data and the nets lie."""
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--landmarks", type=Path, required=True, help="npz of tools/label_grid.py")
    parser.add_argument("--phones", type=Path, required=True, help="JSON of tools/align_speech.py")
    parser.add_argument(
        "--speech", type=Path, nargs="+", required=True, help="folders of tools/speak_kokoro.py"
    )
    parser.add_argument("--motion", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument(
        "--nets", type=Path, default=Path("engine/assets"), help="folder of the exported nets"
    )


def sources_of(arguments: argparse.Namespace) -> Sources:
    """Return where the data lies."""
    return Sources(arguments.data, arguments.landmarks, arguments.phones, arguments.speech, arguments.motion)


if __name__ == "__main__":
    main()
