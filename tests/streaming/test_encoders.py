import av
import numpy as np
import pytest

from mien.streaming.encoders import VideoCodec, VideoEncoder, VoiceEncoder, default_bitrate


def picture(index: int, size: int = 128) -> av.VideoFrame:
    rng = np.random.default_rng(5)
    i420 = np.full((size * 3 // 2, size), 128, np.uint8)
    i420[:size] = np.roll(
        np.kron(rng.integers(40, 200, (8, 8)), np.ones((size // 8, size // 8))), index, axis=1
    )
    return av.VideoFrame.from_numpy_buffer(i420, format="yuv420p")


@pytest.mark.parametrize(("codec", "decoder"), [("VP8", "libvpx"), ("H264", "h264")])
def test_each_picture_gives_its_packet_at_once_and_decodes(codec: VideoCodec, decoder: str) -> None:
    encoder, receiver = VideoEncoder(codec, 128, 128), av.CodecContext.create(decoder, "r")
    for index in range(10):
        packet = encoder.encode(picture(index), index, key=index == 6)
        assert packet.pts == index * 3600
        assert packet.size > 0
        [decoded] = receiver.decode(av.Packet(bytes(packet)))
        error = decoded.to_ndarray()[:128].astype(float) - picture(index).to_ndarray()[:128]
        assert np.sqrt(np.mean(np.square(error))) < 12


def is_key(packet: av.Packet) -> bool:
    return not bytes(packet)[0] & 1  # RFC 6386 section 9.1


def test_only_the_first_picture_and_those_asked_for_are_key_frames() -> None:
    encoder = VideoEncoder("VP8", 128, 128)
    keys = [index for index in range(60) if is_key(encoder.encode(picture(index), index, key=index == 30))]
    assert keys == [0, 30]


def send(encoder: VideoEncoder, frames: int, *, busy: bool) -> None:
    rng = np.random.default_rng(2)
    for index in range(frames):
        i420 = np.full((768, 512), 128, np.uint8)
        if busy:
            i420[:512] = rng.integers(0, 255, (512, 512))
        encoder.encode(av.VideoFrame.from_numpy_buffer(i420, format="yuv420p"), index, key=False)


def test_the_bitrate_follows_a_receiver_whose_network_is_full() -> None:
    encoder = VideoEncoder("VP8", 512, 512)
    assert encoder.bitrate == default_bitrate(512, 512) == 1_500_000
    encoder.aim_at(300_000)
    assert encoder.bitrate == 1_500_000  # before anything was sent an estimate means nothing
    send(encoder, VideoEncoder.MEMORY, busy=True)
    assert encoder.sent_bitrate > 900_000
    encoder.aim_at(10_000_000)
    assert encoder.bitrate == 1_500_000
    encoder.aim_at(600_000)
    assert encoder.bitrate == 600_000
    encoder.aim_at(1_000_000)
    assert encoder.bitrate == 600_000  # so soon it does not rise again
    send(encoder, VideoEncoder.PATIENCE + 1, busy=True)
    encoder.aim_at(1_000_000)
    assert encoder.bitrate == 1_000_000
    send(encoder, VideoEncoder.MEMORY, busy=True)
    encoder.aim_at(1)
    assert encoder.bitrate == 200_000


def test_a_still_picture_is_not_taken_for_a_full_network() -> None:
    encoder = VideoEncoder("VP8", 512, 512)
    send(encoder, 2 * VideoEncoder.MEMORY, busy=False)
    encoder.aim_at(round(1.5 * encoder.sent_bitrate))
    assert encoder.bitrate == 1_500_000


def test_sound_is_two_packets_a_frame_on_the_media_clock() -> None:
    encoder = VoiceEncoder()
    time = np.arange(20 * 1920) / 48_000
    sound = (0.3 * np.sin(2 * np.pi * 300 * time)).astype(np.float32)
    receiver = av.CodecContext.create("libopus", "r")
    receiver.sample_rate, receiver.layout = 48_000, "mono"
    heard = []
    for index in range(20):
        packets = encoder.encode(sound[index * 1920 : (index + 1) * 1920], index + 100)
        assert [packet.pts for packet in packets] == [(index + 100) * 1920, (index + 100) * 1920 + 960]
        for packet in packets:
            heard += [frame.to_ndarray().ravel() for frame in receiver.decode(av.Packet(bytes(packet)))]
    level = np.sqrt(2 * np.mean(np.square(np.concatenate(heard)[9600:].astype(float))))
    assert level == pytest.approx(0.3, rel=0.15) or level == pytest.approx(0.3 * 32768, rel=0.15)
