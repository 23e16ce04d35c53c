from mien.streaming.candidates import MOST_NAMED, split_candidates

OFFER = """v=0
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=candidate:1 1 UDP 2122252543 0f3c.local 50001 typ host
a=candidate:2 1 UDP 2122187007 192.0.2.7 50002 typ host
a=mid:0
a=end-of-candidates
m=video 9 UDP/TLS/RTP/SAVPF 96
a=mid:v
a=candidate:3 1 UDP 1686052863 7b1e.local 50003 typ host
"""


def test_named_candidates_are_taken_out_and_known_ones_stay() -> None:
    kept, named = split_candidates(OFFER)
    assert "192.0.2.7" in kept
    assert ".local" not in kept
    assert "end-of-candidates" not in kept
    assert [(candidate.ip, candidate.port) for candidate in named] == [
        ("0f3c.local", 50001),
        ("7b1e.local", 50003),
    ]
    assert [candidate.sdpMLineIndex for candidate in named] == [0, 1]
    assert named[1].sdpMid == "v"


def test_an_offer_without_names_keeps_every_line() -> None:
    plain = OFFER.replace("0f3c.local", "192.0.2.8").replace("7b1e.local", "fd00::7")
    kept, named = split_candidates(plain)
    assert named == []
    assert kept.split("\r\n")[:-1] == [line for line in plain.splitlines() if line != "a=end-of-candidates"]


def test_an_offer_cannot_make_the_server_shout() -> None:
    many = "".join(f"a=candidate:{n} 1 UDP 1 {n}.local {5000 + n} typ host\n" for n in range(500))
    kept, named = split_candidates(OFFER + many)
    assert len(named) == MOST_NAMED
    assert ".local" not in kept
