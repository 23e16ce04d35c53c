"""The recordings that motion is scored on, with what is known of them.

- grid: clips held out by the hash of their name. Truth is the filmed jaw, lip gap, and narrowing of the lips.
  The talker is the one of the training, for he is the only one filmed here.
- kokoro: six voices held out of the training. Phoneme times are the synthesiser's; the curves are what
  tools/articulation.py makes of them, as the training's were: they tell whether sounds are heard and placed
  well in a voice never heard, and nothing of how people move.
- languages, new languages: the same voices in the other languages of the training, and in those that are in
  none of it.
- readers: held-out people of speechocean762 with accents; phoneme times by forced alignment, curves as above.
- facegood: an animator's jaw on a Mandarin speaker, in no training.
- actors: emotional speech, English and Mandarin; nothing is known but the sound.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from articulation import PLACE, VISEMES, Phone, articulate, pause, phones_from_arpabet, phones_from_kokoro
from augmentation import Sound, quiet_stretches, read_sound, set_level
from build_motion_data import FACEGOOD_GAIN, FACEGOOD_RATE, loudness, reader_of, speech_path
from film_lips import FilmedLips, read_lips
from grid_mouth import held_out, read_filmed
from languages import HELD_OUT
from lip_measures import Track

from mien.engine.features import ROWS_PER_FRAME, log_mel_whole
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

Item = TypeVar("Item")

ACTED_S: Final = 15
KOKORO: Final = ("kokoro", "languages", "new languages")
SETS: Final = ("grid", *KOKORO, "readers", "facegood", "actors")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording, with what is known about it; tracks are as long as its whole frames at most."""

    name: str
    sound: Sound
    phones: Sequence[Phone] = ()
    jaw: Track | None = None
    gap: Track | None = None
    rounding: Track | None = None
    film: FilmedLips | None = None

    @property
    def frames(self) -> int:
        """Whole video frames in the sound."""
        return len(self.sound) // SAMPLES_PER_FRAME


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything lies."""

    data: Path
    landmarks: Path
    phones: Path
    speech: list[Path]
    motion: Path

    def targets(self) -> Track:
        """Return the visemes' targets of the training, float64[visemes, articulators]."""
        with np.load(self.motion) as archive:
            targets: Track = archive["targets"]
        if targets.shape[0] != len(VISEMES):
            raise SystemExit(f"{self.motion} was built with other visemes; build it again")
        return targets


def read_recordings(
    sources: Sources, only: Collection[str] = SETS, *, training: bool = False, most: int | None = None
) -> dict[str, list[Recording]]:
    """Return test sets by name, `most` recordings of each, spread over it.

    training: return the recordings of the training's grid and Kokoro instead.
    """
    targets = sources.targets()
    aligned = json.loads(sources.phones.read_text())
    sets = {"grid": _read_grid(sources, aligned, training, most)} if "grid" in only else {}
    sets |= _read_kokoro(sources, targets, [name for name in KOKORO if name in only], training, most)
    if training:
        return sets
    if "readers" in only:
        sets["readers"] = _read_readers(sources, aligned, targets)
    if "facegood" in only:
        sets["facegood"] = _read_facegood(sources.data / "facegood/pairs")
    if "actors" in only:
        paths = sorted((sources.data / "speech/a2f_samples/example_audio").glob("*.flac"))
        sets["actors"] = [Recording(path.stem, read_sound(path)[: ACTED_S * SAMPLE_RATE]) for path in paths]
    return sets


def _read_grid(
    sources: Sources, aligned: dict[str, list[tuple[str, float, float]]], training: bool, most: int | None
) -> list[Recording]:
    filmed = read_filmed(sources.landmarks, sources.data / "grid/blendshapes_pose_25fps.npz")
    clips = spread(sorted(clip for clip in filmed if held_out(clip) != training), most)
    lips = {} if training else read_lips(sources.landmarks, clips)
    recordings = []
    for clip in clips:
        sound, mouth = read_sound(sources.data / f"grid/audio/{clip}.flac"), filmed[clip]
        frames = min(len(mouth.jaw), len(sound) // SAMPLES_PER_FRAME)
        said = pause(phones_from_arpabet(aligned[f"grid/{clip}"]), [])
        tracks = (mouth.jaw[:frames], mouth.gap[:frames], mouth.pucker[:frames])
        recordings.append(Recording(clip, sound, said, *tracks, lips.get(clip)))
    return recordings


def _read_kokoro(
    sources: Sources, targets: Track, only: Collection[str], training: bool, most: int | None
) -> dict[str, list[Recording]]:
    entries = [
        (folder, json.loads(line))
        for folder in (sources.speech if only else [])
        for line in (folder / "index.jsonl").read_text().splitlines()
    ]
    sets: dict[str, list[Recording]] = {}
    for name in only:
        chosen = [
            (folder, entry)
            for folder, entry in entries
            if entry["held_out"] != training and _language_set(entry.get("language", "english")) == name
        ]
        sets[name] = []
        for folder, entry in spread(chosen, most):
            sound = read_sound(folder / f"{entry['name']}.flac")
            said = pause(phones_from_kokoro(entry["phonemes"]), quiet_stretches(sound))
            sets[name].append(authored(f"{entry['name']} {entry['voice']}", sound, said, targets))
    return {name: some for name, some in sets.items() if some}


def spread(items: list[Item], most: int | None) -> list[Item]:
    """Return at most so many of the items, evenly from first to last."""
    if most is None or len(items) <= most:
        return items
    return [items[len(items) * place // most] for place in range(most)]


def _language_set(language: str) -> str:
    if language == "english":
        return "kokoro"
    return "new languages" if language in HELD_OUT else "languages"


def _read_readers(
    sources: Sources, aligned: dict[str, list[tuple[str, float, float]]], targets: Track
) -> list[Recording]:
    recordings = []
    for name, symbols in aligned.items():
        if not name.startswith("grid/") and held_out(reader_of(name)):
            sound = read_sound(speech_path(sources.data, name))
            said = pause(phones_from_arpabet(symbols), quiet_stretches(sound, below_db=30))
            recordings.append(authored(name, sound, said, targets))
    return recordings


def authored(name: str, sound: Sound, phones: Sequence[Phone], targets: Track) -> Recording:
    """Return a recording whose truth is the articulation of its phonemes."""
    frames = len(sound) // SAMPLES_PER_FRAME
    heard = log_mel_whole(set_level(sound, -24))[: ROWS_PER_FRAME * frames]
    curves = articulate(phones, frames, targets, effort=loudness(heard).astype(np.float64))
    tracks = (curves[:, PLACE["jaw"]], curves[:, PLACE["gap"]], curves[:, PLACE["pucker"]])
    return Recording(name, sound, phones, *tracks)


def _read_facegood(folder: Path) -> list[Recording]:
    recordings = []
    for path in sorted(folder.glob("*.flac")):
        sound = read_sound(path)
        with np.load(path.with_name(f"{path.stem}_30fps.npz"), allow_pickle=False) as pair:
            weights, names = pair["arkit_mouth"], [str(name) for name in pair["arkit_names"]]
        made = (np.arange(len(weights)) + 0.5) / FACEGOOD_RATE
        frames = min(len(sound) // SAMPLES_PER_FRAME, int(made[-1] * FRAME_RATE), ACTED_S * FRAME_RATE)
        at = (np.arange(frames) + 0.5) / FRAME_RATE
        jaw = FACEGOOD_GAIN["jawOpen"] * np.interp(at, made, weights[:, names.index("jawOpen")])
        recordings.append(Recording(path.stem, sound[: frames * SAMPLES_PER_FRAME], jaw=jaw))
    return recordings


def spoil_each(recordings: Sequence[Recording], spoil: Callable[[Sound], Sound]) -> list[Sound]:
    """Return the recordings' sounds, each spoilt."""
    return [spoil(recording.sound).clip(-1, 1).astype(np.float32) for recording in recordings]
