"""What works on this machine and what doesn't, each with its remedy."""

from __future__ import annotations

import errno
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from mien.engine.errors import MienError
from mien.web.film import Codec, can_encode
from mien.web.model_store import FACE_FINDER, PERSON_FINDER, Model, describe

_PACKAGES: Final = (
    "aiortc",
    "av",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "starlette",
    "uvicorn",
    "webrtcvad-wheels",
    "websockets",
)

_LEAST_MEMORY: Final = 1.0
"""GB of free memory below which a session may be killed: the engine and its nets take about half of it."""


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    ABSENT = "absent"
    """Not here, and not needed for what mien does by default."""

    PROBLEM = "problem"
    """mien will not work, or not well, before this is put right."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    state: State
    found: str
    remedy: str = ""
    """What to do about it; empty when all is well."""


def examine(*, host: str = "127.0.0.1", port: int = 8420) -> Iterator[Check]:
    """Look at everything, one check after the other. Nothing is fetched, changed or raised."""
    checks: tuple[Callable[[], Check], ...] = (
        check_python,
        check_processor,
        check_memory,
        check_packages,
        check_motion_nets,
        check_portraits,
        check_landmark_model,
        check_person_model,
        check_speech,
        check_video,
        check_films,
        lambda: check_port(host, port),
        check_network,
        check_microphone,
        check_gpu,
        check_cuda,
        check_tensorrt,
    )
    for check in checks:
        yield check()


def check_python() -> Check:
    """Look at Python's version."""
    found = (
        f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"
    )
    if sys.version_info < (3, 11):  # noqa: UP036 - a doctor must not trust what the installer checked
        return Check("Python", State.PROBLEM, found, "Install Python 3.11 or later.")
    return Check("Python", State.OK, found)


def check_processor() -> Check:
    """Look at how many cores this process may use."""
    cores = available_cores()
    found = f"{_processor_name()}, {cores} core{'s' if cores > 1 else ''}"
    if cores < 2:
        return Check(
            "Processor", State.PROBLEM, found, "Use a machine with two cores, or ask for 256-pixel video."
        )
    return Check("Processor", State.OK, found)


def check_memory() -> Check:
    """Look at memory that is free."""
    free = _free_memory_gb()
    if free is None:
        return Check("Memory", State.ABSENT, "This system does not say how much memory is free.")
    if free < _LEAST_MEMORY:
        return Check(
            "Memory",
            State.PROBLEM,
            f"{free:.1f} GB free",
            "Close other programs: a session takes about 0.5 GB.",
        )
    return Check("Memory", State.OK, f"{free:.1f} GB free")


def check_packages() -> Check:
    """Look at the packages mien stands on."""
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check(
            "Packages",
            State.PROBLEM,
            f"Missing: {', '.join(missing)}",
            "Install mien again: pip install --force-reinstall mien",
        )
    return Check("Packages", State.OK, ", ".join(found))


def check_motion_nets() -> Check:
    """Look at the nets that turn speech into motion."""
    from mien.engine.performer import Performer

    try:
        Performer()
    except MienError as error:
        return Check("Motion nets", State.PROBLEM, error.problem, error.remedy)
    return Check("Motion nets", State.OK, "Sampler and lip refiner open")


def check_portraits() -> Check:
    """Look at the portraits that come with mien."""
    from mien.engine.gallery import builtin_portraits, open_builtin

    try:
        names = [open_builtin(portrait.id).name for portrait in builtin_portraits()]
    except MienError as error:
        return Check("Portraits", State.PROBLEM, error.problem, error.remedy)
    return Check("Portraits", State.OK, ", ".join(names))


def check_landmark_model() -> Check:
    """Look at the model that finds faces in photos."""
    return _check_model("Face finder", FACE_FINDER)


def check_person_model() -> Check:
    """Look at the model that tells people from the background."""
    return _check_model("Person finder", PERSON_FINDER)


def _check_model(name: str, model: Model) -> Check:
    report = describe(model)
    state = State.OK if report.path is not None else State.ABSENT
    return Check(name, state, report.summary, _fetch_remedy(report.remedy))


def check_speech() -> Check:
    """Look for a voice for texts."""
    from mien.streaming.synthesis import HibariSynthesizer

    try:
        HibariSynthesizer()
    except MienError as error:
        return Check("Speech", State.ABSENT, error.problem, error.remedy)
    return Check("Speech", State.OK, f"hibari-tts {version('hibari-tts')}")


def check_video() -> Check:
    """Look at the codecs of live video and sound."""
    missing = [name for name in ("libvpx", "libopus") if not can_encode(name)]
    if missing:
        return Check(
            "Live codecs",
            State.PROBLEM,
            f"Missing: {', '.join(missing)}",
            "Install PyAV's own wheel: pip install --force-reinstall av",
        )
    more = ", H.264 where a peer asks for it" if can_encode("libx264") else ""
    return Check("Live codecs", State.OK, f"VP8 and Opus{more}")


def check_films() -> Check:
    """Look at the codecs of mien render."""
    found = [codec.value for codec in Codec if can_encode(codec.encoder)]
    if Codec.VP9.value not in found:
        return Check(
            "Film codecs",
            State.PROBLEM,
            f"Only {', '.join(found) or 'none'}",
            "Install PyAV's own wheel: pip install --force-reinstall av",
        )
    return Check("Film codecs", State.OK, ", ".join(found))


def check_port(host: str, port: int) -> Check:
    """Look whether the server can listen."""
    name = f"Port {port}"
    try:
        bind(host, port).close()
    except MienError as error:
        return Check(name, State.PROBLEM, error.problem, error.remedy)
    return Check(name, State.OK, f"Free on {host}")


def check_network() -> Check:
    """Look for an address that WebRTC can use."""
    from aioice.ice import get_host_addresses

    addresses = get_host_addresses(use_ipv4=True, use_ipv6=True)
    if not addresses:
        return Check(
            "Network",
            State.PROBLEM,
            "No network interface is up, only loopback",
            "Connect to a network, even one without internet.",
        )
    return Check("Network", State.OK, ", ".join(addresses))


def check_microphone() -> Check:
    """Look at microphones of this machine. The page uses the browser's, wherever that runs."""
    try:
        import sounddevice

        names = [device["name"] for device in sounddevice.query_devices() if device["max_input_channels"] > 0]
    except OSError:
        return Check(
            "Microphone",
            State.ABSENT,
            "PortAudio is not installed",
            "For microphones of this machine: apt install libportaudio2",
        )
    except sounddevice.PortAudioError as error:
        return Check(
            "Microphone", State.ABSENT, f"PortAudio fails: {error}", "Check the sound system of this machine."
        )
    if not names:
        return Check(
            "Microphone",
            State.ABSENT,
            "None on this machine",
            "The page uses the browser's microphone: none is needed here.",
        )
    return Check("Microphone", State.OK, ", ".join(names))


def check_gpu() -> Check:
    """Look for an NVIDIA card and its driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check(
            "GPU",
            State.ABSENT,
            "No NVIDIA driver",
            "None is needed: the default renderer runs on the processor.",
        )
    query = [program, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        return Check("GPU", State.ABSENT, f"nvidia-smi fails: {error}", "Check the NVIDIA driver.")
    return Check("GPU", State.OK, "; ".join(answer.stdout.strip().splitlines()))


def check_cuda() -> Check:
    """Look at the packages of the CUDA renderers."""
    if importlib.util.find_spec("cupy") is None:
        return Check(
            "CUDA",
            State.ABSENT,
            "CuPy is not installed",
            "For a machine with a GPU: pip install 'mien[cuda]'",
        )
    return Check("CUDA", State.OK, "CuPy is installed")


def check_tensorrt() -> Check:
    """Look at the packages of the keypoint renderer."""
    found = [name for name in ("tensorrt", "tensorrt_rtx") if importlib.util.find_spec(name) is not None]
    if not found:
        return Check(
            "TensorRT",
            State.ABSENT,
            "Not installed",
            "For a machine with a GPU: pip install 'mien[cuda]' or 'mien[rtx]'",
        )
    return Check("TensorRT", State.OK, ", ".join(found))


class CannotListen(MienError):
    """The server cannot have the address it was told to use."""


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, ready to listen. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise CannotListen(
            f"{host}:{port} is no address of this machine.",
            remedy="Use --host 127.0.0.1, or an address that `ip addr` lists.",
        ) from error
    if sys.platform != "win32":  # there it would let two servers share a port
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except (OSError, OverflowError) as error:
        bound.close()
        raise _why_not(host, port, error) from error
    return bound


def available_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _why_not(host: str, port: int, error: OSError | OverflowError) -> CannotListen:
    if isinstance(error, PermissionError):
        return CannotListen(
            f"This user may not listen on port {port}.",
            remedy="Choose a port from 1024 on: mien serve --port 8420",
        )
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"Port {port} is in use already.",
            remedy=f"Stop the program that uses it, or choose another one: mien serve --port {port + 1}",
        )
    return CannotListen(
        f"{host}:{port} cannot be listened on: {getattr(error, 'strerror', None) or error}.",
        remedy="Use --host 127.0.0.1 and another --port.",
    )


def _fetch_remedy(remedy: str) -> str:
    return f"{remedy} To fetch it now: mien fetch" if remedy else ""


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _free_memory_gb() -> float | None:
    """Return the memory that programs could get, in GB, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    available = [line for line in lines if line.startswith("MemAvailable:")]
    return int(available[0].split()[1]) * 1024 / 1e9 if available else None
