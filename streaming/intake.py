"""Sound in: packets of any codec, rate and channel count become 48 kHz mono samples, in order."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from mien.streaming.jitter import PLAYBACK_RATE

_DECODERS: Final = {
    "opus": ("libopus", 48_000, "stereo"),
    "g722": ("g722", 16_000, "mono"),
    "pcmu": ("pcm_mulaw", 8_000, "mono"),
    "pcma": ("pcm_alaw", 8_000, "mono"),
}
"""Codec by its name in SDP: the decoder's name, its rate in Hz and its channels."""

_SEQUENCES: Final = 1 << 16
_TIMESTAMPS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One RTP packet of sound."""

    codec: str
    """Name in SDP, lower case."""

    clock_rate: int
    """Timestamp units a second."""

    source: int
    """SSRC: another one means another stream, say after a change of device."""

    sequence: int
    """0..65535, one more with every packet, wrapping."""

    timestamp: int
    """0..2**32 - 1, in units of the clock rate, wrapping."""

    payload: bytes
    arrival: int
    """When it reached this process, in nanoseconds."""


@dataclass(slots=True)
class OrderStats:
    """What became of packets that did not come in order."""

    reordered: int = 0
    lost: int = 0
    late: int = 0
    """Came after they had been given up, or twice; dropped."""


class PacketOrder:
    """Puts packets in order. One that comes in its turn passes at once: only a gap makes others wait."""

    HELD: Final = 2
    """Packets (40 ms) that may wait for one that is missing; with one more, it is given up as lost."""

    JUMP: Final = 100
    """A sequence number further off than this begins a new stream."""

    def __init__(self) -> None:
        self.stats = OrderStats()
        self._source: int | None = None
        self._expected = 0
        self._held: dict[int, AudioPacket] = {}

    def add(self, packet: AudioPacket) -> list[tuple[AudioPacket, bool]]:
        """Return the packets that are due now, in order, each with whether any was lost before it."""
        ahead = (packet.sequence - self._expected + _SEQUENCES // 2) % _SEQUENCES - _SEQUENCES // 2
        if packet.source != self._source or abs(ahead) > self.JUMP:
            self._source = packet.source
            self._held.clear()
            self._expected = packet.sequence
            ahead = 0
        if ahead < 0 or packet.sequence in self._held:
            self.stats.late += 1
            return []
        self._held[packet.sequence] = packet
        due = self._release()
        if not due and len(self._held) > self.HELD:
            due = self.flush()
        elif len(due) > 1:
            self.stats.reordered += 1
        return due

    def flush(self) -> list[tuple[AudioPacket, bool]]:
        """Give up what is missing and return what waits for it."""
        due: list[tuple[AudioPacket, bool]] = []
        while self._held:
            gap = min((sequence - self._expected) % _SEQUENCES for sequence in self._held)
            self.stats.lost += gap
            self._expected = (self._expected + gap) % _SEQUENCES
            released = self._release()
            due += [(released[0][0], gap > 0), *released[1:]]
        return due

    def _release(self) -> list[tuple[AudioPacket, bool]]:
        due: list[tuple[AudioPacket, bool]] = []
        while (packet := self._held.pop(self._expected, None)) is not None:
            due.append((packet, False))
            self._expected = (self._expected + 1) % _SEQUENCES
        return due


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """The sound of one packet."""

    samples: NDArray[np.float32]
    """float32[n], 48 kHz mono, -1..1."""

    arrival: int
    """When the packet arrived, in nanoseconds."""

    lost: int
    """Samples (48 kHz) that were lost just before these."""


class Intake:
    """Turns a peer's packets into 48 kHz mono sound. The peer may change codec, rate or channels at will."""

    LONGEST_GAP: Final = PLAYBACK_RATE * 120 // 1000
    """A longer gap is a pause, not a loss: nothing stands in for it."""

    def __init__(self) -> None:
        self.order = PacketOrder()
        self.undecodable = 0
        self._codec: tuple[str, int] | None = None
        self._decoder: AudioCodecContext | None = None
        self._resampler = PlaybackResampler()
        self._next_timestamp: int | None = None

    def receive(self, packet: AudioPacket) -> list[DecodedSound]:
        """Take a packet in; return the sound that became due by it, oldest first."""
        return list(self._decode_all(self.order.add(packet)))

    def flush(self) -> list[DecodedSound]:
        """Stop waiting for missing packets; return the sound that was held back for them."""
        return list(self._decode_all(self.order.flush()))

    def _decode_all(self, packets: list[tuple[AudioPacket, bool]]) -> Iterator[DecodedSound]:
        for packet, gap in packets:
            samples = self._decode(packet)
            if samples is not None:
                yield DecodedSound(samples, packet.arrival, self._lost(packet, gap, len(samples)))

    def _decode(self, packet: AudioPacket) -> NDArray[np.float32] | None:
        if (packet.codec, packet.source) != self._codec:
            self._codec = (packet.codec, packet.source)
            self._decoder = _open_decoder(packet.codec)
            self._resampler = PlaybackResampler()
            self._next_timestamp = None
        if self._decoder is None or not packet.payload:
            self.undecodable += 1
            return None
        try:
            frames = self._decoder.decode(av.Packet(packet.payload))
        except av.FFmpegError:
            self.undecodable += 1  # one damaged packet costs 20 ms of sound, never the session
            return None
        return np.concatenate([self._resampler.push(frame) for frame in frames] or [np.empty(0, np.float32)])

    def _lost(self, packet: AudioPacket, gap: bool, count: int) -> int:
        expected, scale = self._next_timestamp, Fraction(PLAYBACK_RATE, packet.clock_rate)
        self._next_timestamp = (packet.timestamp + int(count / scale)) % _TIMESTAMPS
        if not gap or expected is None:
            return 0
        lost = int((packet.timestamp - expected) % _TIMESTAMPS * scale)
        return lost if lost <= self.LONGEST_GAP else 0


class PlaybackResampler:
    """Brings sound of any rate, layout and sample format to 48 kHz mono float32."""

    def __init__(self) -> None:
        self._form: tuple[int, str, str] | None = None
        self._resampler: av.AudioResampler | None = None

    def push(self, frame: av.AudioFrame) -> NDArray[np.float32]:
        """Return the samples, float32[n], that became due; any cutting of the input gives the same sound."""
        form = (frame.sample_rate, frame.layout.name, frame.format.name)
        if self._resampler is None or form != self._form:
            self._form = form
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=PLAYBACK_RATE)
        frame.pts = None  # sound is counted in samples here; a jump in time is the jitter buffer's matter
        return _join(self._resampler.resample(frame))

    def push_samples(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Do the same to mono samples float32[n] at `rate` Hz."""
        if not len(samples):
            return np.empty(0, np.float32)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = rate
        return self.push(frame)

    def flush(self) -> NDArray[np.float32]:
        """Return what the filter still holds, and begin anew."""
        resampler, self._resampler = self._resampler, None
        return _join(resampler.resample(None)) if resampler is not None else np.empty(0, np.float32)


def _join(frames: list[av.AudioFrame]) -> NDArray[np.float32]:
    parts = [frame.to_ndarray()[0] for frame in frames]
    return np.concatenate(parts) if parts else np.empty(0, np.float32)


def _open_decoder(codec: str) -> AudioCodecContext | None:
    if codec not in _DECODERS:
        return None
    name, rate, layout = _DECODERS[codec]
    decoder = cast(AudioCodecContext, av.CodecContext.create(name, "r"))
    decoder.sample_rate = rate
    decoder.layout = layout
    return decoder
