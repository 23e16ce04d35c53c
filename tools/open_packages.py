"""Mouths by open packages that run offline: npm's headaudio, PyPI's openfacefx and pylipsync.

Fetched on first use into a folder of their own, by npm's and pip's clients; mien does not depend on them.
openfacefx is told the true phonemes and gives ARKit weights by its own table. The other two hear sound alone
and give visemes, with no word on how far a jaw goes; a linear map from visemes to jaw, gap and rounding,
with the shift in time that suits it best, is fitted on recordings of the training, which is kinder than any
table. What they give is kept in the folder, for it does not depend on our nets.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from articulation import ARPABET, SILENCE
from augmentation import set_level
from lip_measures import Track
from numpy.typing import NDArray
from players import Mouth, mouth_of
from recordings import Recording
from scipy.signal import resample_poly

from mien.engine.motion import CHANNELS, SHAPES

HEADAUDIO: Final = "@met4citizen/headaudio@0.1.0"
PYTHON_PACKAGES: Final = ("openfacefx==0.24.0", "pylipsync==0.2.1", "numpy<2.4")
VISEMES: Final = ("aa", "E", "I", "O", "U", "PP", "SS", "TH", "DD", "FF", "kk", "nn", "RR", "CH", "sil")
"""Oculus's visemes, in headaudio's order."""


LEVEL_DB: Final = -24.0
"""Level of speech they are given: well above their gates."""

LONGEST_DELAY: Final = 6
RIDGE: Final = 1e-3
ARPABET_OF: Final = {ours: theirs for theirs, ours in ARPABET.items() if ours != SILENCE} | {
    "ə": "AH", "ɐ": "AH", "ᵊ": "AH", "a": "AA", "ɒ": "AA", "o": "OW", "e": "EH", "ɚ": "ER", "ᵻ": "IH",
    "ɾ": "T", "T": "T", "Q": "OW", "ɨ": "IH", "g": "G", "r": "R", "ʔ": "T", "x": "HH", "ɫ": "L",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What the packages say of one recording, by frame."""

    headaudio: NDArray[np.float32]
    """float32[frames, VISEMES]."""

    headaudio_shapes: NDArray[np.float32]
    """float32[frames, 52]: its visemes through openfacefx's table of ARKit weights."""

    openfacefx: NDArray[np.float32]
    """float32[frames, 52]."""

    pylipsync: NDArray[np.float32]
    """float32[frames, 6]: five vowels and silence."""


def fetch(folder: Path) -> None:
    """Put the packages into the folder, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "package").is_dir():
        packed = subprocess.run(
            ["npm", "pack", "--silent", HEADAUDIO], cwd=folder, check=True, capture_output=True, text=True
        )
        shutil.unpack_archive(folder / packed.stdout.strip(), folder)
    if not _python(folder).exists():
        venv.create(folder / "venv", with_pip=True)
        subprocess.run([_python(folder), "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES], check=True)


def _python(folder: Path) -> Path:
    return folder / ("venv/Scripts/python.exe" if sys.platform == "win32" else "venv/bin/python")


def ask(folder: Path, recordings: Sequence[Recording]) -> list[Answer]:
    """Return what each package says of each recording, from the folder where it was asked before."""
    names = "\n".join(f"{recording.name} {len(recording.sound)}" for recording in recordings)
    kept = folder / f"{hashlib.sha256(names.encode()).hexdigest()[:12]}.npz"
    if not kept.exists():
        fetch(folder)
        _run(folder, recordings, kept)
    with np.load(kept) as archive:
        heard = archive["headaudio"]
        parts = (heard, (heard @ archive["preset"]).clip(0, 1), archive["openfacefx"], archive["pylipsync"])
    cuts = np.cumsum([recording.frames for recording in recordings])[:-1]
    pieces = zip(*(np.split(part, cuts) for part in parts), strict=True)
    return [Answer(*piece) for piece in pieces]


def _run(folder: Path, recordings: Sequence[Recording], kept: Path) -> None:
    sounds = [set_level(r.sound[: r.frames * 640], LEVEL_DB).clip(-1, 1) for r in recordings]
    request = {
        "shapes": SHAPES,
        "visemes": VISEMES,
        "recordings": [
            {"samples": len(sound), "phones": _spell(recording)}
            for sound, recording in zip(sounds, recordings, strict=True)
        ],
    }
    (folder / "request.json").write_text(json.dumps(request))
    np.concatenate(sounds).astype(np.float32).tofile(folder / "sounds16.f32")
    finer = [resample_poly(sound, 3, 1).astype(np.float32) for sound in sounds]
    np.concatenate(finer).tofile(folder / "sounds48.f32")
    (folder / "lengths.json").write_text(json.dumps([len(sound) for sound in finer]))
    here = Path(__file__).parent
    subprocess.run(
        ["node", here / "headaudio_visemes.mjs", folder / "package", folder / "sounds48.f32",
         folder / "lengths.json", folder / "visemes.f32"], check=True,
    )  # fmt: skip
    subprocess.run(
        [_python(folder), here / "packaged_lipsync.py", folder / "request.json", folder / "sounds16.f32",
         folder / "answer.npz"], check=True,
    )  # fmt: skip
    heard = np.fromfile(folder / "visemes.f32", np.float32).reshape(-1, len(VISEMES))
    with np.load(folder / "answer.npz") as answer:
        np.savez(kept, headaudio=heard, **answer)


def _spell(recording: Recording) -> list[tuple[str, float, float]]:
    """Return the recording's phonemes in ARPABET, without overlaps; what it lacks becomes silence."""
    spelt: list[tuple[str, float, float]] = []
    for phone in recording.phones:
        start = max(phone.start, spelt[-1][2] if spelt else 0.0)
        if phone.end > start:
            spelt.append((ARPABET_OF.get(phone.symbol, "sil"), start, phone.end))
    return spelt


@dataclass(frozen=True, slots=True)
class VisemeMap:
    """A linear map from visemes to a mouth, fitted on recordings of the training."""

    weights: Track
    """float64[visemes + 1, 3]: jaw, gap, rounding; the last row is the constant."""

    delay: int
    """Frames by which the visemes come late, and are moved back."""

    def __call__(self, visemes: NDArray[np.float32], *, closes: int | None, teeth: int | None) -> Mouth:
        """Return the mouth. closes, teeth: the visemes of closed lips and of teeth on the lip, if any."""
        moved = _advance(visemes, self.delay)
        jaw, gap, rounding = (_with_constant(moved) @ self.weights).T
        gap = gap.clip(0)
        if closes is not None:
            gap = gap * (1 - moved[:, closes] / max(float(visemes[:, closes].max()), 0.5))
        cue = np.zeros(len(gap)) if teeth is None else moved[:, teeth].astype(np.float64)
        return Mouth(jaw, gap, rounding, cue)


def fit_map(visemes: Sequence[NDArray[np.float32]], recordings: Sequence[Recording]) -> VisemeMap:
    """Fit jaw, gap and rounding to visemes by ridge regression, at the delay that leaves the least error."""
    best, least = None, np.inf
    wanted = np.concatenate([
        np.stack([r.jaw, r.gap, r.rounding], axis=1) for r in recordings  # type: ignore[arg-type]
    ])  # fmt: skip
    for delay in range(LONGEST_DELAY + 1):
        heard = np.concatenate([
            _with_constant(_advance(track, delay))[: len(r.jaw)]  # type: ignore[arg-type]
            for track, r in zip(visemes, recordings, strict=True)
        ])  # fmt: skip
        gram = heard.T @ heard + RIDGE * len(heard) * np.eye(heard.shape[1])
        weights = np.linalg.solve(gram, heard.T @ wanted)
        error = float((((heard @ weights - wanted) / wanted.std(axis=0)) ** 2).mean())
        if error < least:
            best, least = VisemeMap(weights, delay), error
    assert best is not None
    return best


def _advance(track: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Move a track to earlier frames; the last one stays till the end."""
    return np.concatenate([track[frames:], np.repeat(track[-1:], min(frames, len(track)), axis=0)])[
        : len(track)
    ]


def _with_constant(track: NDArray[np.float32]) -> Track:
    return np.concatenate([track, np.ones((len(track), 1))], axis=1).astype(np.float64)


def arkit_mouth(weights: NDArray[np.float32]) -> Mouth:
    """Return the mouth of ARKit weights float32[frames, 52]."""
    motion = np.zeros((len(weights), CHANNELS), np.float32)
    motion[:, : len(SHAPES)] = weights
    return mouth_of(motion)


def package_mouths(
    folder: Path, recordings: Sequence[Recording], fitted_on: Sequence[Recording]
) -> dict[str, list[Mouth]]:
    """Return each package's mouths of the recordings, maps fitted on the others."""
    known, asked = ask(folder, fitted_on), ask(folder, recordings)
    head = fit_map([answer.headaudio for answer in known], fitted_on)
    lipsync = fit_map([answer.pylipsync for answer in known], fitted_on)
    return {
        f"headaudio {HEADAUDIO.rsplit('@', 1)[1]}, fitted map": [
            head(answer.headaudio, closes=VISEMES.index("PP"), teeth=VISEMES.index("FF")) for answer in asked
        ],
        "headaudio, openfacefx's ARKit table": [
            arkit_mouth(_advance(answer.headaudio_shapes, head.delay)) for answer in asked
        ],
        "pylipsync 0.2.1, fitted map": [lipsync(a.pylipsync, closes=None, teeth=None) for a in asked],
        "openfacefx 0.24.0, true phonemes": [arkit_mouth(answer.openfacefx) for answer in asked],
    }
