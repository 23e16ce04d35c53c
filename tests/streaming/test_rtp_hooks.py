"""Fails loudly if aiortc moves what mien relies on."""

import asyncio
import time
from types import SimpleNamespace

import psutil
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from aiortc.jitterbuffer import JitterBuffer
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpSenderInfo, RtcpSrPacket, RtpPacket, pack_remb_fci

from mien.engine.errors import BackendUnavailable
from mien.streaming import rtp_hooks
from mien.streaming.intake import AudioPacket
from mien.streaming.rtp_hooks import (
    SendWatch,
    align_reports,
    check_aiortc,
    hear_receiver,
    tap_audio,
    watch_transport,
)


@pytest.fixture
async def pair():  # type: ignore[no-untyped-def]
    """A sender and a receiver of sound, as aiortc builds them."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    transceiver = connection.addTransceiver("audio")
    yield transceiver.sender, transceiver.receiver
    await connection.close()


def test_this_aiortc_is_built_as_expected(pair: tuple[RTCRtpSender, RTCRtpReceiver]) -> None:
    check_aiortc(*pair)
    assert isinstance(getattr(pair[1], rtp_hooks._JITTER_BUFFER), JitterBuffer)


async def test_an_abandoned_connection_gives_its_sockets_back() -> None:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio")
    await connection.setLocalDescription(await connection.createOffer())
    process = psutil.Process()
    assert process.net_connections(kind="udp")
    await rtp_hooks.abandon(connection)
    await asyncio.sleep(0)
    assert not process.net_connections(kind="udp")
    await connection.close()


@pytest.mark.parametrize("missing", ["_JITTER_BUFFER", "_RECEIVER_CODECS", "_LAST_REPORT"])
def test_another_aiortc_is_refused_by_name(
    pair: tuple[RTCRtpSender, RTCRtpReceiver], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtp_hooks, missing, "_moved")
    with pytest.raises(BackendUnavailable, match="aiortc"):
        check_aiortc(*pair)


async def test_sound_is_tapped_as_it_arrives_and_aiortc_decodes_nothing(
    pair: tuple[RTCRtpSender, RTCRtpReceiver],
) -> None:
    _, receiver = pair
    heard: list[AudioPacket] = []
    codec = SimpleNamespace(name="opus", clockRate=48_000, mimeType="audio/opus", parameters={})
    getattr(receiver, rtp_hooks._RECEIVER_CODECS)[111] = codec
    tap_audio(receiver, heard.append)
    for number in range(5):
        packet = RtpPacket(
            payload_type=111, sequence_number=number, timestamp=960 * number, ssrc=9, payload=b"abc"
        )
        await receiver._handle_rtp_packet(packet, arrival_time_ms=0)
        assert len(heard) == number + 1  # at once: none waits for the next
    assert (heard[3].codec, heard[3].source, heard[3].sequence, heard[3].payload) == ("opus", 9, 3, b"abc")
    assert abs(time.monotonic_ns() - heard[4].arrival) < 10**9


async def test_the_first_packet_of_each_frame_is_told_once(pair: tuple[RTCRtpSender, RTCRtpReceiver]) -> None:
    sender, _ = pair
    sent: list[bytes] = []
    told: list[tuple[int, int]] = []
    leaving: list[int | None] = [None]

    async def send(data: bytes) -> None:
        sent.append(data)

    transport = SimpleNamespace(_send_rtp=send)
    watch = SendWatch(sender, leaving=lambda: leaving[0], on_sent=lambda *frame: told.append(frame))
    watch_transport(transport, [watch])
    for pts, copies in ((0, 3), (3600, 1), (7200, 2)):
        leaving[0] = pts
        for number in range(copies):
            packet = RtpPacket(
                sequence_number=number, timestamp=(4294966000 + pts) % 2**32, ssrc=sender._ssrc
            )
            await transport._send_rtp(packet.serialize())
    await transport._send_rtp(bytes(RtcpSrPacket(ssrc=sender._ssrc, sender_info=RtcpSenderInfo(0, 0, 0, 0))))
    assert [pts for pts, _ in told] == [0, 3600, 7200]
    assert len(sent) == 7
    assert watch.pts_of((4294966000 + 10_000) % 2**32) == 10_000


async def test_requests_for_key_frames_and_bitrate_come_through(
    pair: tuple[RTCRtpSender, RTCRtpReceiver],
) -> None:
    sender, _ = pair
    keys: list[bool] = []
    bitrates: list[int] = []
    hear_receiver(sender, on_key_frame=lambda: keys.append(True), on_bitrate=bitrates.append)
    await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=sender._ssrc))
    await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=sender._ssrc))
    for sources in ([sender._ssrc], [12345]):
        fci = pack_remb_fci(700_000, sources)
        await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
    await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=b"junk"))
    assert len(keys) == 2
    assert bitrates == [pytest.approx(700_000, rel=0.01)]


async def test_sender_reports_carry_the_media_clock(pair: tuple[RTCRtpSender, RTCRtpReceiver]) -> None:
    sender, _ = pair
    reports: list[RtcpSrPacket] = []

    async def send(packets: list[RtcpSrPacket]) -> None:
        reports.extend(packets)

    setattr(sender, "_send_rtcp", send)  # noqa: B010
    watch = SendWatch(sender, leaving=lambda: 48_000, on_sent=lambda pts, moment: None)
    watch.note(1_048_000)
    began = time.monotonic_ns()
    align_reports(sender, watch, lambda pts: began + pts * 10**9 // 48_000)
    for ahead in (0, 960, 48_000):
        info = RtcpSenderInfo(ntp_timestamp=0, rtp_timestamp=1_048_000 + ahead, packet_count=0, octet_count=0)
        await sender._send_rtcp([RtcpSrPacket(ssrc=1, sender_info=info)])
    first, second, third = (report.sender_info.ntp_timestamp / 2**32 for report in reports)
    assert second - first == pytest.approx(0.02, abs=2e-3)
    assert third - first == pytest.approx(1.0, abs=2e-3)
