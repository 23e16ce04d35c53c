from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from stand_ins import syllables

from mien.streaming.intake import AudioPacket, DecodedSound, Intake, PacketOrder, PlaybackResampler


def packet(sequence: int, *, source: int = 1, timestamp: int | None = None) -> AudioPacket:
    stamp = sequence * 960 if timestamp is None else timestamp
    return AudioPacket("opus", 48_000, source, sequence % 65536, stamp % 2**32, b"x", arrival=sequence)


def order(sequences: Sequence[int]) -> tuple[list[int], list[int], PacketOrder]:
    """Returns the sequences that came out, those after a loss, and the order itself."""
    ordering = PacketOrder()
    due = [item for sequence in sequences for item in ordering.add(packet(sequence))]
    return [p.sequence for p, _ in due], [p.sequence for p, lost in due if lost], ordering


def test_packets_in_order_never_wait() -> None:
    ordering = PacketOrder()
    for sequence in range(65_500, 65_600):
        assert [p.sequence for p, _ in ordering.add(packet(sequence))] == [sequence % 65536]


def test_reordered_packets_come_out_in_order_without_loss() -> None:
    came, after_loss, ordering = order([1, 2, 4, 3, 5, 8, 6, 7, 9])
    assert came == list(range(1, 10))
    assert after_loss == []
    assert ordering.stats.lost == 0
    assert ordering.stats.reordered == 2


def test_a_lost_packet_holds_the_others_for_two_packets_at_most() -> None:
    ordering = PacketOrder()
    ordering.add(packet(1))
    assert ordering.add(packet(3)) == []
    assert ordering.add(packet(4)) == []
    assert [(p.sequence, lost) for p, lost in ordering.add(packet(5))] == [(3, True), (4, False), (5, False)]
    assert ordering.stats.lost == 1


def test_late_and_doubled_packets_are_dropped_and_counted() -> None:
    came, _, ordering = order([1, 2, 2, 4, 4, 5, 6, 3, 7])
    assert came == [1, 2, 4, 5, 6, 7]
    assert ordering.stats.late == 3


def test_a_starved_tick_may_take_what_is_held_back() -> None:
    ordering = PacketOrder()
    ordering.add(packet(1))
    ordering.add(packet(3))
    assert [(p.sequence, lost) for p, lost in ordering.flush()] == [(3, True)]
    assert ordering.flush() == []


def test_another_device_or_a_restart_begins_anew() -> None:
    ordering = PacketOrder()
    ordering.add(packet(10))
    assert len(ordering.add(packet(40_000))) == 1
    assert len(ordering.add(packet(3, source=2))) == 1
    assert len(ordering.add(packet(4, source=2))) == 1
    assert ordering.stats.late == 0


def encode(sound: NDArray[np.float32], codec: str, rate: int, layout: str = "mono") -> list[bytes]:
    """Encode mono sound at `rate` in packets of 20 ms."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout = rate, layout
    context.format = "s16"
    context.time_base = Fraction(1, rate)
    packets: list[bytes] = []
    for start in range(0, len(sound) - rate // 50 + 1, rate // 50):
        block = (sound[start : start + rate // 50] * 32767).astype(np.int16)
        channels = np.repeat(block, 2 if layout == "stereo" else 1)[None]
        frame = av.AudioFrame.from_ndarray(channels, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += [bytes(part) for part in context.encode(frame)]
    return packets


def take_in(payloads: list[bytes], codec: str, clock_rate: int) -> NDArray[np.float32]:
    intake = Intake()
    sounds: list[DecodedSound] = []
    for number, payload in enumerate(payloads):
        stamp = number * clock_rate // 50
        sounds += intake.receive(AudioPacket(codec, clock_rate, 1, number, stamp, payload, number))
    return np.concatenate([sound.samples for sound in sounds])


def envelope(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    blocks = sound[: len(sound) // 480 * 480].reshape(-1, 480)
    return np.sqrt(np.mean(np.square(blocks), axis=1))


@pytest.mark.parametrize(
    ("name", "encoder", "rate", "clock_rate", "layout"),
    [
        ("opus", "libopus", 48_000, 48_000, "mono"),
        ("opus", "libopus", 48_000, 48_000, "stereo"),
        ("opus", "libopus", 16_000, 48_000, "mono"),
        ("g722", "g722", 16_000, 8_000, "mono"),
        ("pcmu", "pcm_mulaw", 8_000, 8_000, "mono"),
        ("pcma", "pcm_alaw", 8_000, 8_000, "mono"),
    ],
)
def test_sound_of_any_codec_rate_and_layout_comes_in_alike(
    name: str, encoder: str, rate: int, clock_rate: int, layout: str
) -> None:
    seconds = 2.0
    payloads = encode(syllables(seconds, rate), encoder, rate, layout)
    heard = take_in(payloads, name, clock_rate)
    assert len(heard) == pytest.approx(seconds * 48_000, abs=1920)
    truth = envelope(syllables(seconds, 48_000))
    got = envelope(heard)
    size = min(len(truth), len(got))
    assert np.corrcoef(truth[:size], got[:size])[0, 1] > 0.95


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_resampling_gives_the_same_however_sound_is_cut(rate: int, layout: str) -> None:
    sound = syllables(0.5, rate)
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]

    def push(resampler: PlaybackResampler, piece: NDArray[np.float32]) -> NDArray[np.float32]:
        packed = np.repeat(piece, channels)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate = rate
        return resampler.push(frame)

    whole, cut = PlaybackResampler(), PlaybackResampler()
    once = np.concatenate([push(whole, sound), whole.flush()])
    rng = np.random.default_rng(rate)
    pieces = [p for p in np.split(sound, np.sort(rng.integers(1, len(sound), 20))) if len(p)]
    many = np.concatenate([*(push(cut, piece) for piece in pieces), cut.flush()])
    assert len(once) == pytest.approx(len(sound) * 48_000 / rate, abs=2)
    np.testing.assert_allclose(once, many, atol=1e-6)


def test_losses_are_told_in_samples_and_pauses_are_not() -> None:
    payloads = encode(syllables(1.0, 48_000), "libopus", 48_000)
    intake = Intake()

    def lost(sequence: int, timestamp: int) -> list[int]:
        sound = AudioPacket("opus", 48_000, 1, sequence, timestamp, payloads[sequence], 0)
        return [decoded.lost for decoded in intake.receive(sound)]

    assert lost(0, 0) == [0]
    assert lost(1, 960) == [0]
    assert lost(2, 96_000) == [0]  # two seconds of discontinuous transmission: a pause, nothing is missing
    assert lost(4, 97_920) == []
    assert [decoded.lost for decoded in intake.flush()] == [960]


def test_damaged_and_foreign_packets_cost_nothing_but_themselves() -> None:
    payloads = encode(syllables(0.2, 48_000), "libopus", 48_000)
    intake = Intake()
    rng = np.random.default_rng(0)
    for sequence in range(60):
        junk = rng.integers(0, 256, int(rng.integers(0, 80)), np.uint8).tobytes()
        codec = "opus" if sequence % 3 else "telephone-event"
        intake.receive(AudioPacket(codec, 48_000, 1, sequence, sequence * 960, junk, 0))
    assert intake.undecodable >= 20
    assert intake.receive(AudioPacket("opus", 48_000, 1, 60, 60 * 960, payloads[3], 0))
