"""Pictures and sound become packets, on the engine's own thread: no second hand-over, no stock settings."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from numpy.typing import NDArray

from mien.engine.timebase import FRAME_RATE
from mien.streaming.jitter import PLAYBACK_RATE, SAMPLES_PER_TICK

MediaPacket: TypeAlias = "av.Packet[Any]"
"""One encoded picture, or 20 ms of encoded sound, with its pts on the media clock."""

VideoCodec = Literal["VP8", "H264"]

VIDEO_CLOCK: Final = 90_000
"""RTP ticks a second of video; 3600 a frame."""

PACKET_SAMPLES: Final = PLAYBACK_RATE * 20 // 1000
"""960 samples, 20 ms: one Opus packet. Two belong to each frame."""

_REFERENCE_BITRATE: Final = 1_500_000
_REFERENCE_PIXELS: Final = 512 * 512
_MINIMUM_BITRATE: Final = 200_000


def default_bitrate(width: int, height: int) -> int:
    """Return bits a second that show a face well: 1.5 Mbit/s at 512x512, 7.1 at 1080x1920.

    Larger pictures of the same face have less to tell a pixel: bits grow as pixels to the power of 3/4.
    """
    ratio: float = (width * height / _REFERENCE_PIXELS) ** 0.75
    return max(_MINIMUM_BITRATE, round(_REFERENCE_BITRATE * ratio))


class VideoEncoder:
    """Encodes I420 pictures in VP8 or H.264 with no delay: each picture in gives its packet at once."""

    RISE: Final = 1.3
    """An estimate must be this much above the present bitrate to raise it: each change costs a key frame."""

    FALL: Final = 0.85
    """An estimate below this share of what was really sent tells of a full network.

    Others say nothing: a receiver cannot estimate more than about what it gets, and a still face is little.
    """

    PATIENCE: Final = 5 * FRAME_RATE
    """Frames (5 s) between two rises."""

    MEMORY: Final = 2 * FRAME_RATE
    """Frames (2 s) that the rate really sent is measured over."""

    def __init__(self, codec: VideoCodec, width: int, height: int) -> None:
        self.codec = codec
        self._size = (width, height)
        self._ceiling = default_bitrate(width, height)
        self._bitrate = self._ceiling
        self._since_change = 0
        self._sizes: deque[int] = deque(maxlen=self.MEMORY)
        self._context: VideoCodecContext | None = None

    @property
    def bitrate(self) -> int:
        """Bits a second that the encoder aims at."""
        return self._bitrate

    @property
    def sent_bitrate(self) -> int:
        """Bits a second that the last pictures really took; 0 until 2 s of them are known."""
        known = len(self._sizes) == self.MEMORY
        return sum(self._sizes) * 8 * FRAME_RATE // self.MEMORY if known else 0

    def aim_at(self, estimate: int) -> None:
        """Follow the receiver's estimate of what the network carries, within our own limits."""
        bitrate = min(max(estimate, _MINIMUM_BITRATE), self._ceiling)
        rises = bitrate > self._bitrate * self.RISE and self._since_change > self.PATIENCE
        falls = bitrate < self._bitrate and estimate < self.sent_bitrate * self.FALL
        if rises or falls:
            self._bitrate = bitrate
            self._since_change = 0
            self._sizes.clear()
            self._context = None

    def encode(self, frame: av.VideoFrame, index: int, *, key: bool) -> MediaPacket:
        """Encode the picture of media frame `index`; `key` asks for one that needs no other."""
        if self._context is None:
            self._context = self._open()
        self._since_change += 1
        frame.pts = index
        frame.time_base = Fraction(1, FRAME_RATE)
        frame.pict_type = PictureType.I if key else PictureType.NONE
        data = b"".join(bytes(packet) for packet in self._context.encode(frame))
        self._sizes.append(len(data))
        packet = av.Packet(data)
        packet.pts = packet.dts = index * (VIDEO_CLOCK // FRAME_RATE)
        packet.time_base = Fraction(1, VIDEO_CLOCK)
        return packet

    def _open(self) -> VideoCodecContext:
        context: VideoCodecContext = av.CodecContext.create(
            "libvpx" if self.codec == "VP8" else "libx264", "w"
        )
        context.width, context.height = self._size
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, FRAME_RATE)
        context.framerate = Fraction(FRAME_RATE, 1)
        context.bit_rate = self._bitrate
        context.gop_size = 120 * FRAME_RATE  # the receiver asks for a key frame when it needs one
        context.thread_count = 1
        rate = str(self._bitrate)
        if self.codec == "VP8":
            context.qmin, context.qmax = 2, 56
            context.options = {
                "deadline": "realtime",
                "cpu-used": "-8",
                "lag-in-frames": "0",
                "noise-sensitivity": "0",
                "static-thresh": "1",
                "minrate": rate,
                "maxrate": rate,
                "bufsize": rate,
                "overshoot-pct": "15",
                "undershoot-pct": "100",
            }
        else:
            context.profile = "Baseline"
            context.options = {
                "preset": "superfast",
                "tune": "zerolatency",
                "level": "31",
                "maxrate": rate,
                "bufsize": rate,
                "threads": "1",
            }
        return context


class VoiceEncoder:
    """Encodes 48 kHz mono sound in Opus, two packets of 20 ms a frame."""

    BITRATE: Final = 48_000

    def __init__(self) -> None:
        context: AudioCodecContext = av.CodecContext.create("libopus", "w")
        context.sample_rate = PLAYBACK_RATE
        context.layout = "mono"
        context.format = "flt"
        context.bit_rate = self.BITRATE
        context.time_base = Fraction(1, PLAYBACK_RATE)
        context.options = {"application": "voip", "frame_duration": "20"}
        self._context = context
        self._position = 0

    def encode(self, samples: NDArray[np.float32], index: int) -> list[MediaPacket]:
        """Encode the sound of media frame `index`, float32[1920], into packets of 20 ms."""
        packets: list[MediaPacket] = []
        for offset in range(0, SAMPLES_PER_TICK, PACKET_SAMPLES):
            piece = np.clip(samples[None, offset : offset + PACKET_SAMPLES], -1, 1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="flt", layout="mono")
            frame.sample_rate = PLAYBACK_RATE
            frame.pts = self._position
            frame.time_base = Fraction(1, PLAYBACK_RATE)
            self._position += PACKET_SAMPLES
            packet = av.Packet(b"".join(bytes(part) for part in self._context.encode(frame)))
            packet.pts = packet.dts = index * SAMPLES_PER_TICK + offset
            packet.time_base = Fraction(1, PLAYBACK_RATE)
            packets.append(packet)
        return packets
