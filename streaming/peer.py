"""One WebRTC connection: a peer's microphone comes in, a picture and its sound go out."""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Final, cast

from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from mien.engine.errors import MienError
from mien.streaming.candidates import split_candidates
from mien.streaming.encoders import VideoCodec
from mien.streaming.intake import AudioPacket
from mien.streaming.rtp_hooks import (
    SendWatch,
    abandon,
    align_reports,
    check_aiortc,
    hear_receiver,
    tap_audio,
    watch_transport,
)
from mien.streaming.tracks import Outlet

logger = logging.getLogger(__name__)

MAX_SDP: Final = 64 * 1024
"""Characters of a session description; a browser's has some 5,000."""

_FIRST_VIDEO_CODEC: Final = re.compile(r"^m=video \d+ \S+ (\d+)", re.MULTILINE)


class OfferRefused(MienError):
    """A session description that is malformed, or asks for something that mien cannot give."""


class Peer:
    """Wraps an RTCPeerConnection: no server but the two ends, own encoders, no hidden buffers."""

    def __init__(
        self,
        outlet: Outlet,
        *,
        on_packet: Callable[[AudioPacket], None],
        on_picture_sent: Callable[[int, int], None],
        on_voice_sent: Callable[[int, int], None],
        on_key_frame: Callable[[], None],
        on_bitrate: Callable[[int], None],
    ) -> None:
        """Prepare; `answer` connects. The callbacks run on the event loop.

        on_packet: sound as it arrives. on_picture_sent, on_voice_sent: (pts, moment in ns) of the first
        packet of a picture or piece of sound handed to the network. on_key_frame, on_bitrate: what the
        receiver asks for.
        """
        self.connected = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once the connection has failed or was closed by either side."""
        self._outlet = outlet
        self._on_packet = on_packet
        self._on_picture_sent = on_picture_sent
        self._on_voice_sent = on_voice_sent
        self._on_key_frame = on_key_frame
        self._on_bitrate = on_bitrate
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[])
        )  # aiortc's default asks a STUN host
        self._connection.on("connectionstatechange", self._note_state)
        self._hooked = False
        self._asking: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """One of new, connecting, connected, failed, closed."""
        return str(self._connection.connectionState)

    async def answer(self, offer: str) -> tuple[str, VideoCodec]:
        """Accept an offer (SDP text), the first or a later one; return the answer and the video codec.

        Raises OfferRefused.
        """
        if len(offer) > MAX_SDP:
            raise OfferRefused("The offer is too long.", remedy="Send the SDP of a WebRTC offer, unchanged.")
        try:
            offer, named = split_candidates(offer)
            await self._connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
            self._prepare_media()
            await self._connection.setLocalDescription(await self._connection.createAnswer())
        except MienError:
            raise
        except Exception as error:  # aiortc's parser raises whatever its own code happens to raise
            logger.info("refused an offer: %s", type(error).__name__)
            raise OfferRefused(
                "The offer could not be understood.",
                remedy="Send the SDP of a WebRTC offer with audio (Opus) and video (VP8 or H.264).",
            ) from error
        if named and self._asking is None:
            # Meanwhile the answer is on its way: a network without multicast would hold it up for a second.
            self._asking = asyncio.create_task(self._ask_for(named), name="ask for named candidates")
        sdp = str(self._connection.localDescription.sdp)
        return sdp, _video_codec(sdp)

    async def close(self) -> None:
        """Hang up. Closing twice is harmless."""
        self._outlet.close()
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        try:
            await self._connection.close()
        except AttributeError:  # a malformed offer can leave aiortc with a line that has no transport
            await abandon(self._connection)
        self.ended.set()

    async def _ask_for(self, named: list[RTCIceCandidate]) -> None:
        """Ask the local network where named candidates are; the connection may come about without."""
        try:
            await asyncio.gather(*map(self._connection.addIceCandidate, named))
        except Exception as error:  # no multicast here, its port is taken, or the connection has closed
            logger.info("the peer's named addresses were not found: %s", type(error).__name__)

    def _prepare_media(self) -> None:
        chosen = {kind: self._first(kind) for kind in ("audio", "video")}
        for transceiver in self._connection.getTransceivers():
            if transceiver is not chosen[transceiver.kind]:
                transceiver.direction = "inactive"
        if self._hooked:
            return
        voice, picture = chosen["audio"], chosen["video"]
        if voice is None or picture is None:
            raise OfferRefused(
                "The offer lacks audio or video.",
                remedy='Offer one audio line ("sendrecv") and one video line ("recvonly").',
            )
        check_aiortc(voice.sender, voice.receiver)
        self._connection.addTrack(self._outlet.voice)
        self._connection.addTrack(self._outlet.video)
        picture.direction = "sendonly"
        tap_audio(voice.receiver, self._on_packet)
        self._hook_senders(voice, picture)
        self._hooked = True

    def _hook_senders(self, voice: RTCRtpTransceiver, picture: RTCRtpTransceiver) -> None:
        voice_watch = SendWatch(
            voice.sender, leaving=lambda: self._outlet.voice.leaving, on_sent=self._on_voice_sent
        )
        picture_watch = SendWatch(
            picture.sender, leaving=lambda: self._outlet.video.leaving, on_sent=self._on_picture_sent
        )
        watches = [voice_watch, picture_watch]
        for transport in {voice.sender.transport, picture.sender.transport}:  # one, if bundled
            watch_transport(transport, watches)
        hear_receiver(picture.sender, on_key_frame=self._on_key_frame, on_bitrate=self._on_bitrate)
        align_reports(voice.sender, voice_watch, self._outlet.voice_moment)
        align_reports(picture.sender, picture_watch, self._outlet.picture_moment)

    def _first(self, kind: str) -> RTCRtpTransceiver | None:
        of_kind = (t for t in self._connection.getTransceivers() if t.kind == kind)
        return next(of_kind, None)

    def _note_state(self) -> None:
        if self.state == "connected":
            self.connected.set()
        elif self.state in ("failed", "closed"):
            self.ended.set()


def _video_codec(sdp: str) -> VideoCodec:
    """Return the codec that an answer names first: the one that aiortc sends."""
    line = _FIRST_VIDEO_CODEC.search(sdp)
    name = line and re.search(rf"^a=rtpmap:{line.group(1)} (\w+)/", sdp, re.MULTILINE)
    if not name or name.group(1).upper() not in ("VP8", "H264"):
        raise OfferRefused(
            "The offer has no video codec that mien can send.", remedy="Offer VP8, or H.264 Baseline."
        )
    return cast(VideoCodec, name.group(1).upper())
