"""Files become styles by what they are; what cannot be read says why."""

import gzip
from pathlib import Path

import av
import numpy as np
import pytest

from mien.engine.emotion import EMOTIONS, Emotion
from mien.engine.emotion_space import intensity_of
from mien.engine.errors import AssetError
from mien.engine.motion import CHANNELS, INDEX, SHAPES
from mien.web.film import SpeechFileError
from mien.web.style_source import style_of_file


def smile(frames: int = 40, channels: int = CHANNELS) -> np.ndarray:
    motion = np.zeros((frames, channels), np.float32)
    for side in ("Left", "Right"):
        motion[:, INDEX[f"mouthSmile{side}"]] = 0.7
        motion[:, INDEX[f"cheekSquint{side}"]] = 0.6
    return motion


def strongest(style: np.ndarray) -> Emotion:
    return EMOTIONS[int(style[: len(EMOTIONS)].argmax())]


@pytest.mark.parametrize("channels", [len(SHAPES), CHANNELS])
def test_a_track_is_read_from_npz(tmp_path: Path, channels: int) -> None:
    np.savez(tmp_path / "track.npz", motion=smile(channels=channels))
    assert strongest(style_of_file(tmp_path / "track.npz")) is Emotion.HAPPY


def test_a_track_is_read_from_live_link(tmp_path: Path) -> None:
    names = [*SHAPES, "headYaw", "headPitch", "headRoll"]
    motion = smile()
    lines = ["Timecode,BlendShapeCount," + ",".join(name[0].upper() + name[1:] for name in names)]
    lines += ["00:00:00,61," + ",".join(f"{row[INDEX[name]]:.4f}" for name in names) for row in motion]
    (tmp_path / "track.csv").write_text("\n".join(lines))
    np.savez(tmp_path / "track.npz", motion=motion)
    np.testing.assert_allclose(
        style_of_file(tmp_path / "track.csv"), style_of_file(tmp_path / "track.npz"), atol=1e-3
    )


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("no.csv", b"a,b\n1,2\n", "0 of ARKit's 52"),
        ("empty.csv", b"", "0 of ARKit's 52"),
        ("bad.npz", b"PK\x03\x04nothing", "no readable array"),
    ],
)
def test_what_is_no_track_is_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AssetError, match=problem):
        style_of_file(tmp_path / name)


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    motion = smile()
    motion[3, 3] = np.nan
    np.savez(tmp_path / "track.npz", motion=motion)
    with pytest.raises(AssetError, match="not a number"):
        style_of_file(tmp_path / "track.npz")
    np.savez(tmp_path / "track.npz", motion=motion[:, :7])
    with pytest.raises(AssetError, match="its motion is"):
        style_of_file(tmp_path / "track.npz")
    with pytest.raises(AssetError, match="no file"):
        style_of_file(tmp_path / "absent.png")


def test_silence_has_no_style(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SpeechFileError, match="too little speech"):
        style_of_file(path)


@pytest.mark.shared
def test_a_recorded_performance_is_read(shared_data: Path, tmp_path: Path) -> None:
    packed = shared_data / "motion" / "arkit_range_of_motion" / "anim" / "alex_rom_3.csv.gz"
    (tmp_path / "rom.csv").write_bytes(gzip.decompress(packed.read_bytes()))
    style = style_of_file(tmp_path / "rom.csv")
    assert 0.0 < intensity_of(style) <= 3.0
