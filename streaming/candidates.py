"""The ICE candidates of an offer: which are known at once, and which hide behind a name.

A browser that has not granted a page the microphone names its addresses `<uuid>.local`, to be asked for by
multicast DNS (RFC 8828; draft-ietf-mmusic-mdns-ice-candidates). Many networks carry no multicast.
"""

from typing import Final

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

_CANDIDATE: Final = "a=candidate:"
MOST_NAMED: Final = 16
"""So many named candidates are asked for, each by a multicast; a browser has two or three a network card."""

_ADDRESS: Final = 4
"""Which word of a candidate line is its address (RFC 8839, 5.1)."""


def split_candidates(offer: str) -> tuple[str, list[RTCIceCandidate]]:
    """Return an offer without its named candidates and without end-of-candidates, and the first of those.

    An ICE agent that has been told of the end gives up at once when no candidate is left. The browser's own
    checks may still come, and tell its address (peer-reflexive candidates: RFC 8445, 7.3.1.3).
    """
    kept: list[str] = []
    named: list[RTCIceCandidate] = []
    section, identification = -1, None
    for line in offer.splitlines():
        if line.startswith("m="):
            section, identification = section + 1, None
        elif line.startswith("a=mid:"):
            identification = line.removeprefix("a=mid:")
        elif line == "a=end-of-candidates" or (_is_named(line) and len(named) == MOST_NAMED):
            continue
        elif _is_named(line):
            candidate = candidate_from_sdp(line.removeprefix(_CANDIDATE))
            candidate.sdpMid, candidate.sdpMLineIndex = identification, section
            named.append(candidate)
            continue
        kept.append(line)
    return "\r\n".join(kept) + "\r\n", named


def _is_named(line: str) -> bool:
    words = line.split()
    return line.startswith(_CANDIDATE) and len(words) > _ADDRESS and words[_ADDRESS].endswith(".local")
