"""A face that needs no weights, and a peer that stands where a browser would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from numpy.typing import NDArray

from mien.engine.animator import VideoFrame
from mien.engine.emotion import Style
from mien.engine.framing import Size
from mien.engine.motion import CHANNELS, MotionWindow
from mien.engine.timebase import SAMPLES_PER_FRAME
from mien.streaming.lobby import Lobby
from mien.streaming.session import Session, SessionSettings

SIZE = 128
LOOK_AHEAD = 2
FULL_LEVEL = 0.25
"""The root mean square that fills the bar."""


class BarFace:
    """Draws a bar as high as the frame's sound is loud: what is heard can be read from the picture."""

    def __init__(self, size: Size | None = None) -> None:
        self.size = size or (SIZE, SIZE)
        self.mouth_gain = 1.0
        self.voice_leads = False
        self.style = Style()
        self.closed = 0
        self.performed = 0
        self.drawn = 0
        self.interruptions = 0
        self._pending = np.zeros(0, np.float32)

    def perform(self, pcm: NDArray[np.float32]) -> MotionWindow:
        self._pending = np.concatenate([self._pending, pcm])
        due = max(len(self._pending) // SAMPLES_PER_FRAME - LOOK_AHEAD, 0)
        shown = self._pending[: due * SAMPLES_PER_FRAME].reshape(due, SAMPLES_PER_FRAME)
        self._pending = self._pending[due * SAMPLES_PER_FRAME :]
        motion = np.zeros((due, CHANNELS), np.float32)
        motion[:, 0] = np.sqrt(np.mean(np.square(shown), axis=1)) / FULL_LEVEL
        self.performed += due
        return motion

    def draw(self, index: int, motion: NDArray[np.float32]) -> VideoFrame:
        width, height = self.size
        i420 = np.full((height * 3 // 2, width), 128, np.uint8)
        i420[:height] = 32
        bar = round(float(np.clip(motion[0] * self.mouth_gain, 0, 1)) * height)
        i420[height - bar : height] = 220
        self.drawn += 1
        return VideoFrame(index, i420, motion)

    def interrupt(self) -> None:
        self.interruptions += 1
        self._pending = np.zeros_like(self._pending)

    def set_style(self, style: Style) -> None:
        self.style = style

    def close(self) -> None:
        self.closed += 1


def bar_level(frame: av.VideoFrame) -> float:
    """Read the bar, 0..1, from a decoded picture."""
    luma = frame.reformat(format="gray").to_ndarray()
    return float(np.mean(luma[:, luma.shape[1] // 4 : -luma.shape[1] // 4] > 126))


def syllables(seconds: float, rate: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Something like speech: a buzz in bursts of uneven length and loudness, float32[n]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 140 * k * time + k) / k for k in range(1, 12))
    envelope = np.zeros(len(time))
    start = 0.1
    while start < seconds:
        length, loudness = rng.uniform(0.12, 0.3), rng.uniform(0.3, 1.0)
        inside = (time >= start) & (time < start + length)
        envelope[inside] = loudness * np.sin(np.pi * (time[inside] - start) / length) ** 2
        start += length + rng.uniform(0.04, 0.25)
    return (0.15 * buzz * envelope).astype(np.float32)


class Microphone(MediaStreamTrack):
    """Plays sound in real time, 20 ms at a time, then silence; may be told to fall still altogether."""

    kind = "audio"

    def __init__(self, sound: NDArray[np.float32], rate: int = 48_000, *, channels: int = 1) -> None:
        super().__init__()
        self._rate = rate
        self._layout = {1: "mono", 2: "stereo"}[channels]
        self._channels = channels
        self._size = rate // 50
        self._blocks = self._cut(sound)
        self._sent = 0
        self._start: float | None = None
        self._playing = asyncio.Event()
        self._playing.set()

    def hold_still(self, still: bool) -> None:
        """Send nothing at all, as a browser whose device was taken away; or go on."""
        self._playing.clear() if still else self._playing.set()

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        self._start = now if self._start is None else self._start
        await asyncio.sleep(max(self._start + self._sent * 0.02 - now, 0))
        await self._playing.wait()
        block = next(self._blocks)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(block, self._channels)[None], format="s16", layout=self._layout
        )
        frame.sample_rate, frame.pts = self._rate, self._sent * self._size
        frame.time_base = Fraction(1, self._rate)
        self._sent += 1
        return frame

    def _cut(self, sound: NDArray[np.float32]) -> Iterator[NDArray[np.int16]]:
        quantised = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
        for start in range(0, len(quantised) - self._size + 1, self._size):
            yield quantised[start : start + self._size]
        while True:
            yield np.zeros(self._size, np.int16)


@dataclass
class Seen:
    """What a peer received."""

    pictures: list[tuple[float, float, float]] = field(default_factory=list)
    """Media time in s, moment of reception in s, what was read from it (a bar's level, 0..1)."""

    sounds: list[tuple[float, float, NDArray[np.float32]]] = field(default_factory=list)
    """Media time in s, moment of reception in s, 48 kHz mono samples."""

    def levels(self) -> NDArray[np.float64]:
        """Bar level by media time, on the pictures' own 40 ms grid, float64[n, 2]."""
        return np.array([(media, level) for media, _, level in self.pictures])

    def sound(self) -> tuple[NDArray[np.float32], float]:
        """All sound laid out by media time, and when it begins, in s."""
        begin = self.sounds[0][0]
        total = round((self.sounds[-1][0] - begin) * 48_000) + len(self.sounds[-1][2])
        line = np.zeros(total, np.float32)
        for media, _, samples in self.sounds:
            first = round((media - begin) * 48_000)
            line[first : first + len(samples)] = samples
        return line, begin


class Caller:
    """A real aiortc peer: sends a microphone, receives picture and sound."""

    def __init__(self, microphone: MediaStreamTrack | None) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.seen = Seen()
        self._tasks: list[asyncio.Task[None]] = []
        if microphone is not None:
            self.connection.addTrack(microphone)
        else:
            self.connection.addTransceiver("audio", direction="recvonly")
        self.connection.addTransceiver("video", direction="recvonly")
        self.connection.on("track", self._receive)

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    def prefer(self, codec: str) -> None:
        """Ask for pictures in this codec alone, such as video/H264."""
        [video] = [t for t in self.connection.getTransceivers() if t.kind == "video"]
        capabilities = video.sender.getCapabilities("video").codecs
        video.setCodecPreferences([c for c in capabilities if c.mimeType in (codec, "video/rtx")])

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))

    async def close(self) -> None:
        await self.connection.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def read(self, frame: av.VideoFrame) -> float:
        """Read one number from a picture."""
        return bar_level(frame)

    def _receive(self, track: MediaStreamTrack) -> None:
        self._tasks.append(asyncio.create_task(self._watch(track)))

    async def _watch(self, track: MediaStreamTrack) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            media = float(frame.pts * frame.time_base)
            if isinstance(frame, av.VideoFrame):
                self.seen.pictures.append((media, loop.time(), self.read(frame)))
            else:
                samples = frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.float32) / 32768
                self.seen.sounds.append((media, loop.time(), samples))


@asynccontextmanager
async def call(
    lobby: Lobby, settings: SessionSettings, who: MediaStreamTrack | Caller | None
) -> AsyncIterator[tuple[Session, Caller]]:
    """Bring a caller (or one with this microphone) and a session together, and part them again."""
    caller = who if isinstance(who, Caller) else Caller(who)
    try:
        session, answer = await lobby.open(settings, await caller.offer())
        await caller.accept(answer)
        try:
            yield session, caller
        finally:
            await session.close()
    finally:
        await caller.close()
