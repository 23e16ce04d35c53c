"""The recordings that motion is scored on, with what is known of them.

- grid: clips held out by the hash of their name. Truth is the filmed jaw, lip gap, and narrowing of the lips.
  The talker is the one of the training, for he is the only one filmed here.
- kokoro: six voices held out of the training. Phoneme times are the synthesiser's; the curves are what
  tools/articulation.py makes of them, as the training's were: they tell whether sounds are heard and placed
  well in a voice never heard, and nothing of how people move.
- readers: held-out people of speechocean762 with accents; phoneme times by forced alignment, curves as above.
- facegood: an animator's jaw on a Mandarin speaker.
- actors: emotional speech, English and Mandarin; nothing is known but the sound.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from articulation import PLACE, VISEMES, Phone, articulate, pause, phones_from_arpabet, phones_from_kokoro
from augmentation import Sound, quiet_stretches, read_sound, set_level
from build_motion_data import FACEGOOD_GAIN, FACEGOOD_RATE, loudness, reader_of, speech_path
from film_lips import FilmedLips, read_lips
from grid_mouth import held_out, read_filmed
from lip_measures import Track

from mien.engine.features import ROWS_PER_FRAME, log_mel_whole
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

ACTED_S: Final = 15


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


def read_recordings(sources: Sources, *, training: bool = False) -> dict[str, list[Recording]]:
    """Return the test sets; with `training`, the recordings of the training's grid and kokoro instead."""
    targets = sources.targets()
    aligned = json.loads(sources.phones.read_text())
    sets = {
        "grid": _read_grid(sources, aligned, training),
        "kokoro": _read_kokoro(sources, targets, training),
    }
    if training:
        return sets
    sets["readers"] = _read_readers(sources, aligned, targets)
    sets["facegood"] = _read_facegood(sources.data / "facegood/pairs")
    actors = sorted((sources.data / "speech/a2f_samples/example_audio").glob("*.flac"))
    sets["actors"] = [Recording(path.stem, read_sound(path)[: ACTED_S * SAMPLE_RATE]) for path in actors]
    return sets


def _read_grid(
    sources: Sources, aligned: dict[str, list[tuple[str, float, float]]], training: bool
) -> list[Recording]:
    filmed = read_filmed(sources.landmarks, sources.data / "grid/blendshapes_pose_25fps.npz")
    clips = sorted(clip for clip in filmed if held_out(clip) != training)
    lips = {} if training else read_lips(sources.landmarks, clips)
    recordings = []
    for clip in clips:
        sound, mouth = read_sound(sources.data / f"grid/audio/{clip}.flac"), filmed[clip]
        frames = min(len(mouth.jaw), len(sound) // SAMPLES_PER_FRAME)
        said = pause(phones_from_arpabet(aligned[f"grid/{clip}"]), [])
        tracks = (mouth.jaw[:frames], mouth.gap[:frames], mouth.pucker[:frames])
        recordings.append(Recording(clip, sound, said, *tracks, lips.get(clip)))
    return recordings


def _read_kokoro(sources: Sources, targets: Track, training: bool) -> list[Recording]:
    recordings = []
    for folder in sources.speech:
        for line in (folder / "index.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if entry["held_out"] != training:
                sound = read_sound(folder / f"{entry['name']}.flac")
                said = pause(phones_from_kokoro(entry["phonemes"]), quiet_stretches(sound))
                recordings.append(authored(f"{entry['name']} {entry['voice']}", sound, said, targets))
    return recordings


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
