"""Run one live session between two processes and print what it costs and how late the picture is.

    python tools/bench_live.py --seconds 300
    python tools/bench_live.py --face bar --seconds 20        # the transport alone, without any face

This process is the server: lobby, session, animator, encoders. A second process is a real WebRTC peer
that plays speech as a live microphone, in real time, and decodes what comes back. Sound-to-picture delay is
measured by the server itself, frame by frame: from the arrival of the packet with the frame's first sample
to the moment the frame's first RTP packet is handed to the network. CPU is that of the server's process
alone (user and system, all threads); memory is its resident set, once a second.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import aiortc
import av
import numpy as np
import psutil
import uvloop
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from mien.engine.animator import Animator, VideoFrame
from mien.engine.emotion import Style
from mien.engine.framing import DEFAULT_SIZE, Size, parse_size
from mien.engine.gallery import open_builtin
from mien.engine.motion import CHANNELS, MotionWindow
from mien.engine.performer import Performer
from mien.engine.portrait import Portrait
from mien.engine.renderer import open_renderer
from mien.engine.timebase import SAMPLES_PER_FRAME
from mien.streaming.intake import PlaybackResampler
from mien.streaming.lobby import Lobby
from mien.streaming.pipeline import Face
from mien.streaming.session import Session, SessionSettings
from mien.streaming.synthesis import HibariSynthesizer
from mien.streaming.trace import PARTS, summarise

RATE: Final = 48_000
PACKET: Final = RATE // 50

TEXT: Final = (
    "The quick brown fox jumps over the lazy dog. She sells sea shells by the sea shore. "
    "Maybe people prefer paper maps, but Bob always buys a new phone. "
    "Every Friday five brave firefighters visit the village for coffee. "
    "When the moon rose over the water, nobody moved, and nobody spoke a word."
)


def main() -> None:
    options = _parse()
    if options.caller:
        uvloop.run(_call(options))
        return
    run: Callable[..., Any] = uvloop.run if options.loop == "uvloop" else asyncio.run
    report = run(_serve(options))
    _print(report)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure")
    parser.add_argument("--warm-up", type=float, default=5.0, help="seconds before measuring begins")
    parser.add_argument(
        "--speech", type=Path, help="a speech file to play over and over; default: hibari-tts"
    )
    parser.add_argument("--portrait", default="astronaut", help="a built-in portrait, or a prepared file")
    parser.add_argument("--size", type=parse_size, default="512x512", help="width x height of the picture")
    parser.add_argument(
        "--face", choices=["rig", "bar"], default="rig", help="bar: no face, only a level bar"
    )
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--caller", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- the server ---------------------------------------------------------------------------------------


@dataclass
class Course:
    """What was seen of the server's process, once a second."""

    resident: list[float] = field(default_factory=list)
    """MB."""

    cores: list[float] = field(default_factory=list)
    threads: int = 0


async def _serve(options: argparse.Namespace) -> dict[str, Any]:
    lobby = Lobby(lambda settings: _make_face(options, settings), 1)
    settings = SessionSettings(portrait=options.portrait, size=options.size)
    async with _caller_process(options) as caller:
        offer = json.loads(await _line(caller))
        session, answer = await lobby.open(settings, offer["sdp"])
        await _say(caller, {"sdp": answer})
        await asyncio.sleep(options.warm_up)
        report = await _measure(session, options.seconds)
        await _say(caller, {"bye": True})
        report["caller"] = json.loads(await _line(caller))
    await lobby.close()
    return report | {"machine": _machine(), "options": {k: str(v) for k, v in vars(options).items()}}


async def _measure(session: Session, seconds: float) -> dict[str, Any]:
    process, course = psutil.Process(), Course()
    began, cpu = time.monotonic_ns(), time.process_time()
    before = session.stats()
    stories: dict[int, Any] = {}
    pairs: dict[int, Any] = {}
    while (elapsed := (time.monotonic_ns() - began) / 1e9) < seconds:
        used = time.process_time()
        await asyncio.sleep(min(1.0, seconds - elapsed))
        course.cores.append((time.process_time() - used) / min(1.0, seconds - elapsed))
        course.resident.append(process.memory_info().rss / 1e6)
        recent = time.monotonic_ns() - 3_000_000_000
        stories |= {frame.index: frame for frame in session.trace.since(max(recent, began))}
        pairs |= {pair.index: pair for pair in session.trace.pairs_since(max(recent, began))}
    elapsed = (time.monotonic_ns() - began) / 1e9
    course.threads = process.num_threads()
    after, summary = session.stats(), summarise(list(stories.values()), list(pairs.values()))
    sent = after.frames_sent - before.frames_sent
    dropped = after.frames_dropped - before.frames_dropped
    intervals = np.diff(sorted(frame.sent for frame in stories.values())) / 1e6
    return {
        "seconds": elapsed,
        "fps": sent / elapsed,
        "dropped_percent": 100 * dropped / max(sent + dropped, 1),
        "frames": sent,
        "dropped": dropped,
        "underruns": after.audio_underruns - before.audio_underruns,
        "interval_ms": {f"p{q}": float(np.percentile(intervals, q)) for q in (50, 95, 99)},
        "delay_ms": {"p50": summary.p50, "p95": summary.p95, "p99": summary.p99},
        "parts_p50": summary.parts_p50,
        "parts_p95": summary.parts_p95,
        "av_offset_ms": {"p50": summary.av_offset_p50, "p95 of size": summary.av_offset_p95},
        "cores": (time.process_time() - cpu) / elapsed,
        "course": {"resident_mb": course.resident, "cores": course.cores, "threads": course.threads},
    }


class BarFace:
    """No face at all: what the transport costs by itself."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.mouth_gain = 1.0
        self._pending = np.zeros(0, np.float32)

    def perform(self, pcm: NDArray[np.float32]) -> MotionWindow:
        """Put the sound's level in the first channel, two frames late."""
        self._pending = np.concatenate([self._pending, pcm])[-3 * SAMPLES_PER_FRAME :]
        due = int(len(self._pending) == 3 * SAMPLES_PER_FRAME)
        motion = np.zeros((due, CHANNELS), np.float32)
        motion[:, 0] = 4 * np.sqrt(np.mean(np.square(self._pending[:SAMPLES_PER_FRAME])))
        return motion

    def draw(self, index: int, motion: NDArray[np.float32]) -> VideoFrame:
        """Draw the level as a bar."""
        height = self.size[1]
        i420 = np.full((height * 3 // 2, self.size[0]), 128, np.uint8)
        i420[: round(height * (1 - min(float(motion[0]), 1)))] = 32
        return VideoFrame(index, i420, motion)

    def interrupt(self) -> None:
        """Forget what was heard."""
        self._pending[:] = 0

    def set_style(self, style: Style) -> None:
        """Have none."""

    def close(self) -> None:
        """Hold nothing."""


def _make_face(options: argparse.Namespace, settings: SessionSettings) -> Face:
    if options.face == "bar":
        return BarFace(settings.size or DEFAULT_SIZE)
    path = Path(settings.portrait)
    portrait = Portrait.load(path) if path.is_file() else open_builtin(settings.portrait)
    renderer = open_renderer(portrait, size=settings.size)
    return Animator(renderer, Performer(seed=0))


def _machine() -> dict[str, Any]:
    model = next(
        (row.split(":")[1].strip() for row in _rows("/proc/cpuinfo") if row.startswith("model name")),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "aiortc": aiortc.__version__,
        "av": av.__version__,
    }


def _rows(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text().splitlines()
    return []


def _print(report: dict[str, Any]) -> None:
    machine, course = report["machine"], report["course"]
    print(f"{machine['cpu']}, {machine['cores']} cores, load {machine['load'][0]:.1f};", end=" ")
    print(f"Python {machine['python']},")
    print(f"aiortc {machine['aiortc']}, av {machine['av']}, {report['options']['loop']}; ", end="")
    size = "x".join(map(str, report["options"]["size"]))
    print(f"{report['options']['face']} {size}, {report['seconds']:.0f} s")
    print(f"pictures     {report['fps']:.2f} a second, {report['dropped_percent']:.2f} % dropped", end="")
    print(
        f" ({report['dropped']} of {report['frames'] + report['dropped']}), underruns {report['underruns']}"
    )
    print("interval     " + _row(report["interval_ms"]))
    print("delay        " + _row(report["delay_ms"]) + "   (sound to picture)")
    for part in PARTS:
        print(f"  {part:<14}{report['parts_p50'][part]:7.1f}{report['parts_p95'][part]:7.1f}   ms p50, p95")
    print("a/v offset   " + _row(report["av_offset_ms"]) + "   (as sent; + is picture late)")
    print(f"server       {report['cores']:.2f} cores, {course['threads']} threads, resident ", end="")
    resident = course["resident_mb"]
    print(" ".join(f"{resident[i]:.0f}" for i in range(0, len(resident), max(len(resident) // 10, 1))), "MB")
    print(f"caller       {report['caller']}")


def _row(values: dict[str, float | None]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in values.items() if value is not None) + " ms"


# --- the caller, another process ----------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _caller_process(options: argparse.Namespace) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = [sys.executable, __file__, "--caller"]
    if options.speech:
        arguments += ["--speech", str(options.speech)]
    caller = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    try:
        yield caller
    finally:
        with contextlib.suppress(ProcessLookupError):
            caller.kill()
        await caller.wait()


async def _line(caller: asyncio.subprocess.Process) -> str:
    assert caller.stdout is not None
    line = await caller.stdout.readline()
    if not line:
        raise SystemExit("the calling process ended early")
    return line.decode()


async def _say(caller: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
    assert caller.stdin is not None
    caller.stdin.write(json.dumps(message).encode() + b"\n")
    await caller.stdin.drain()


class Microphone(MediaStreamTrack):
    """Plays speech over and over, in real time."""

    kind = "audio"

    def __init__(self, speech: NDArray[np.float32]) -> None:
        super().__init__()
        whole = speech[: len(speech) // PACKET * PACKET]
        self._blocks = (np.clip(whole, -1, 1) * 32767).astype(np.int16).reshape(-1, PACKET)
        self._sent = 0
        self._start = 0.0

    async def recv(self) -> av.AudioFrame:
        """Return the next 20 ms when their time has come."""
        now = asyncio.get_running_loop().time()
        self._start = self._start or now
        await asyncio.sleep(max(self._start + self._sent * 0.02 - now, 0))
        block = self._blocks[self._sent % len(self._blocks)]
        frame = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._sent * PACKET, Fraction(1, RATE)
        self._sent += 1
        return frame


async def _call(options: argparse.Namespace) -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTrack(Microphone(_speech(options.speech)))
    connection.addTransceiver("video", direction="recvonly")
    counts = {"pictures": 0, "sounds": 0}
    tasks: list[asyncio.Task[None]] = []
    connection.on("track", lambda track: tasks.append(asyncio.ensure_future(_count(track, counts))))
    await connection.setLocalDescription(await connection.createOffer())
    print(json.dumps({"sdp": connection.localDescription.sdp}), flush=True)
    answer = json.loads(await asyncio.to_thread(sys.stdin.readline))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=answer["sdp"], type="answer"))
    await asyncio.to_thread(sys.stdin.readline)
    cores = time.process_time()
    print(json.dumps(counts | {"cpu_s": round(cores, 1)}), flush=True)
    await connection.close()


async def _count(track: MediaStreamTrack, counts: dict[str, int]) -> None:
    with contextlib.suppress(MediaStreamError):
        while True:
            await track.recv()
            counts["pictures" if track.kind == "video" else "sounds"] += 1


def _speech(path: Path | None) -> NDArray[np.float32]:
    """Return speech as float32[n], 48 kHz mono."""
    resampler = PlaybackResampler()
    if path is None:
        synthesizer = HibariSynthesizer()
        parts = [resampler.push_samples(b, synthesizer.sample_rate) for b in synthesizer.stream(TEXT)]
    else:
        with av.open(str(path)) as file:
            parts = [resampler.push(frame) for frame in file.decode(audio=0)]
    return np.concatenate([*parts, np.zeros(RATE // 2, np.float32)])


if __name__ == "__main__":
    main()
