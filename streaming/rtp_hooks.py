"""Every touch of aiortc's internals, in one place.

aiortc hides four things that a real-time session needs: packets of sound the moment they arrive (its own
jitter buffer holds them for 80 ms), the moment a packet is handed to the network, the receiver's requests
for key frames and bitrate (it tells only its own encoder), and the time in its sender reports (it takes the
moment of sending, so that picture and sound are aligned only as well as two threads happened to run).
`check_aiortc` says so at once if a version of aiortc has moved what is used here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import aiortc
from aiortc import RTCPeerConnection
from aiortc import clock as aiortc_clock
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpSrPacket, unpack_remb_fci

from mien.engine.errors import BackendUnavailable
from mien.streaming.clock import NANOSECONDS
from mien.streaming.intake import AudioPacket

_JITTER_BUFFER: Final = "_RTCRtpReceiver__jitter_buffer"
_RECEIVER_CODECS: Final = "_RTCRtpReceiver__codecs"
_ICE_TRANSPORTS: Final = "_RTCPeerConnection__iceTransports"
_LAST_REPORT: Final = "_RTCRtpSender__lsr"
_TRANSPORT_METHODS: Final = ("_send_rtp",)
_SENDER_METHODS: Final = ("_send_keyframe", "_handle_rtcp_packet", "_send_rtcp")
_NTP_FRACTION: Final = 1 << 32


def check_aiortc(sender: RTCRtpSender, receiver: RTCRtpReceiver) -> None:
    """Raise BackendUnavailable if this aiortc lacks anything that the hooks below rely on."""
    buffer = getattr(receiver, _JITTER_BUFFER, None)
    found = (
        callable(getattr(buffer, "add", None))
        and isinstance(getattr(receiver, _RECEIVER_CODECS, None), dict)
        and hasattr(sender, _LAST_REPORT)
        and isinstance(getattr(sender, "_ssrc", None), int)
        and all(callable(getattr(sender, name, None)) for name in _SENDER_METHODS)
        and all(callable(getattr(sender.transport, name, None)) for name in _TRANSPORT_METHODS)
    )
    if not found:
        raise BackendUnavailable(
            f"aiortc {aiortc.__version__} is built differently from those that mien knows.",
            remedy="Install a version that mien was tested with: pip install 'aiortc>=1.14,<1.17'.",
        )


async def abandon(connection: RTCPeerConnection) -> None:
    """Give back the sockets of a connection whose own close() failed half-way."""
    for transport in list(getattr(connection, _ICE_TRANSPORTS)):
        await transport.stop()


def tap_audio(receiver: RTCRtpReceiver, sink: Callable[[AudioPacket], None]) -> None:
    """Give every packet of sound to `sink` as it arrives, and let aiortc decode none of it.

    To be called before the connection is made. RTCP statistics go on as before.
    """
    setattr(receiver, _JITTER_BUFFER, _AudioTap(receiver, sink))


class _AudioTap:
    """Stands where aiortc's jitter buffer stood."""

    def __init__(self, receiver: RTCRtpReceiver, sink: Callable[[AudioPacket], None]) -> None:
        self._codecs: dict[int, Any] = getattr(receiver, _RECEIVER_CODECS)
        self._sink = sink

    def add(self, packet: Any) -> tuple[bool, None]:
        codec = self._codecs[packet.payload_type]
        self._sink(
            AudioPacket(
                codec=codec.name.lower(),
                clock_rate=codec.clockRate,
                source=packet.ssrc,
                sequence=packet.sequence_number,
                timestamp=packet.timestamp,
                payload=packet._data,
                arrival=time.monotonic_ns(),
            )
        )
        return False, None  # no loss to report, no frame to decode


class SendWatch:
    """Tells when the first packet of every frame of one sender is handed to the network.

    `leaving` returns the pts of what the track gave out last: aiortc sends all of it before it asks for more.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        *,
        leaving: Callable[[], int | None],
        on_sent: Callable[[int, int], None],
    ) -> None:
        self.source: int = sender._ssrc
        self._leaving = leaving
        self._on_sent = on_sent
        self._last_timestamp = 0
        self._last_pts: int | None = None

    def note(self, timestamp: int) -> None:
        """Hear of a packet that has just been handed over."""
        pts = self._leaving()
        if pts is None or pts == self._last_pts:
            return  # a further packet of the same frame, or one sent again
        self._last_timestamp, self._last_pts = timestamp, pts
        self._on_sent(pts, time.monotonic_ns())

    def pts_of(self, timestamp: int) -> int | None:
        """Return the pts that an RTP timestamp stands for; None before the first packet."""
        if self._last_pts is None:
            return None
        ahead = (timestamp - self._last_timestamp + (1 << 31)) % (1 << 32) - (1 << 31)
        return self._last_pts + ahead


def watch_transport(transport: Any, watches: list[SendWatch]) -> None:
    """Let the watches hear of every RTP packet that `transport` (an RTCDtlsTransport) sends."""
    send = transport._send_rtp
    by_source = {watch.source: watch for watch in watches}

    async def send_and_tell(data: bytes) -> None:
        await send(data)
        if not 192 <= data[1] <= 223:  # those are RTCP, RFC 5761 section 4
            watch = by_source.get(int.from_bytes(data[8:12], "big"))
            if watch is not None:
                watch.note(int.from_bytes(data[4:8], "big"))

    transport._send_rtp = send_and_tell


def hear_receiver(
    sender: RTCRtpSender, *, on_key_frame: Callable[[], None], on_bitrate: Callable[[int], None]
) -> None:
    """Pass on what the receiver asks of this sender: a key frame (PLI, FIR), a bitrate (REMB)."""
    handle = sender._handle_rtcp_packet

    async def handle_and_tell(packet: Any) -> None:
        await handle(packet)
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            try:
                bitrate, sources = unpack_remb_fci(packet.fci)
            except ValueError:
                return  # another application's message
            if sender._ssrc in sources:
                on_bitrate(bitrate)

    # Instance attributes stand before the class's methods; mypy forbids it with reason, hence setattr.
    setattr(sender, "_handle_rtcp_packet", handle_and_tell)  # noqa: B010
    setattr(sender, "_send_keyframe", on_key_frame)  # noqa: B010


def align_reports(sender: RTCRtpSender, watch: SendWatch, media_moment: Callable[[int], int | None]) -> None:
    """Write the media clock's moment into sender reports instead of the moment of sending.

    media_moment: from the pts of this sender to nanoseconds of the monotonic clock; None if unknown yet.
    With it a receiver that follows RTCP plays a frame and its sound together, however unevenly they left.
    """
    send = sender._send_rtcp

    async def send_aligned(packets: list[Any]) -> None:
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                _align(sender, packet, watch, media_moment)
        await send(packets)

    setattr(sender, "_send_rtcp", send_aligned)  # noqa: B010


def _align(
    sender: RTCRtpSender, report: RtcpSrPacket, watch: SendWatch, media_moment: Callable[[int], int | None]
) -> None:
    pts = watch.pts_of(report.sender_info.rtp_timestamp)
    moment = None if pts is None else media_moment(pts)
    if moment is None:
        return
    ago = (time.monotonic_ns() - moment) * _NTP_FRACTION // NANOSECONDS
    report.sender_info.ntp_timestamp = aiortc_clock.current_ntp_time() - ago
    # The receiver echoes the middle of this time; aiortc compares it to what it remembers.
    setattr(sender, _LAST_REPORT, (report.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF)
