"""What leaves: a frame and the 40 ms of sound that belong to it, released on the same tick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from mien.streaming.channel import Channel, ChannelClosed, WhenFull
from mien.streaming.clock import MILLISECOND, TICK, TimeSource
from mien.streaming.encoders import PACKET_SAMPLES, VIDEO_CLOCK, MediaPacket
from mien.streaming.jitter import PLAYBACK_RATE, SAMPLES_PER_TICK

PACKET_TIME: Final = 20 * MILLISECOND


@dataclass(frozen=True, slots=True)
class _Outgoing:
    packet: MediaPacket
    not_before: int
    """When it may leave, in nanoseconds."""


class EncodedTrack(MediaStreamTrack):
    """An outgoing track of ready-made packets. aiortc only wraps them in RTP."""

    def __init__(self, kind: str, time: TimeSource, *, capacity: int) -> None:
        super().__init__()
        self.kind = kind
        self.leaving: int | None = None
        """The pts of the packet given out last."""
        self._time = time
        self._generation = 0
        self._packets: Channel[_Outgoing] = Channel(kind, capacity=capacity, when_full=WhenFull.DROP_OLDEST)

    @property
    def full(self) -> bool:
        """Whether the next packet would push one out."""
        return self._packets.full

    @property
    def dropped(self) -> int:
        """Packets that were pushed out because nobody fetched them in time."""
        return self._packets.stats.dropped

    def offer(self, packet: MediaPacket, not_before: int) -> None:
        """Queue a packet; dropped silently once the track has ended."""
        if not self._packets.closed:
            self._packets.offer(_Outgoing(packet, not_before))

    def clear(self) -> None:
        """Forget what has not left."""
        self._generation += 1
        self._packets.clear()

    async def recv(self) -> MediaPacket:
        """Return the next packet when it may leave. Raises MediaStreamError once the track has ended."""
        while self.readyState == "live":
            generation = self._generation
            try:
                outgoing = await self._packets.receive()
            except ChannelClosed:
                break
            if outgoing.not_before > self._time.now():
                await self._time.sleep_until(outgoing.not_before)
            if generation == self._generation:
                self.leaving = outgoing.packet.pts
                return outgoing.packet
        raise MediaStreamError

    def stop(self) -> None:
        """End the track. Stopping twice is harmless."""
        self._packets.close()
        super().stop()


class Outlet:
    """A session's pair of outgoing tracks on one media clock.

    `on_key_frame` is called when an encoded picture was lost on its way, so that the next must stand alone.
    """

    def __init__(self, time: TimeSource, *, on_key_frame: Callable[[], None]) -> None:
        self._time = time
        self._on_key_frame = on_key_frame
        self._anchor: tuple[int, int] | None = None
        self.video = EncodedTrack("video", time, capacity=2)  # 80 ms; if full, no picture is drawn at all
        self.voice = EncodedTrack("audio", time, capacity=8)  # 160 ms; if full, the oldest 20 ms are lost

    def release(self, index: int, tick: int, picture: MediaPacket | None, voice: list[MediaPacket]) -> None:
        """Let media frame `index` go, which falls on `tick` (nanoseconds): a picture, if any, and sound.

        The sound's packets leave 20 ms apart, the first with the picture.
        """
        self._anchor = (index, tick)
        now = self._time.now()
        if picture is not None:
            dropped = self.video.dropped
            self.video.offer(picture, now)
            if self.video.dropped != dropped:
                self._on_key_frame()
        for order, packet in enumerate(voice):
            self.voice.offer(packet, now + order * PACKET_TIME)

    def hush(self) -> None:
        """Let no sound leave that was released before."""
        self.voice.clear()

    def picture_moment(self, pts: int) -> int | None:
        """Return the media clock's moment of a video pts (90 kHz), in nanoseconds."""
        return self._moment(pts, VIDEO_CLOCK)

    def voice_moment(self, pts: int) -> int | None:
        """Return the media clock's moment of a sound pts (48 kHz), in nanoseconds."""
        return self._moment(pts, PLAYBACK_RATE)

    def close(self) -> None:
        """End both tracks. Closing twice is harmless."""
        self.video.stop()
        self.voice.stop()

    def _moment(self, pts: int, rate: int) -> int | None:
        if self._anchor is None:
            return None
        index, tick = self._anchor
        frame = rate * TICK // 1_000_000_000
        return tick + (pts - index * frame) * TICK // frame


def frame_of_voice(pts: int) -> int | None:
    """Return the media frame that a sound packet opens; None if it is the frame's second."""
    return pts // SAMPLES_PER_TICK if pts % SAMPLES_PER_TICK < PACKET_SAMPLES else None
