"""Videos of any rate, turn and size become upright pictures, 25 a second; what is none is refused."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.web import video_file
from mien.web.dubbing import lasting
from mien.web.video_file import VideoFile, VideoFileError

WIDTH, HEIGHT = 64, 48


def write_video(
    path: Path,
    times: Sequence[float],
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    rotation: int = 0,
    gop: int = 12,
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write frames at times in seconds; frame k has brightness 16 + 3 k, and a bright top left corner."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9" if pix_fmt == "yuv420p" else "ffv1", 25)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = Fraction(1, 9000)
        stream.codec_context.time_base = Fraction(1, 9000)
        stream.codec_context.gop_size = gop
        stream.options = {"crf": "10", "b": "0", "deadline": "realtime", "cpu-used": "8"}
        if rotation:
            stream.set_display_rotation(rotation)
        for index, time in enumerate(times):
            picture = np.full((size[1], size[0], 3), 16 + 3 * index, np.uint8)
            picture[: size[1] // 3, : size[0] // 3] = 250
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time * 9000), Fraction(1, 9000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def numbers(pictures: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Read the frames' numbers off their brightness."""
    return [round((float(np.median(picture[-10:, -20:])) - 16) / 3) for picture in pictures]


def scanned(path: Path) -> tuple[list[NDArray[np.uint8]], VideoFile]:
    video = VideoFile(path, longest_s=60)
    return [picture.copy() for picture in video.scan()], video


def nearest(times: Sequence[float]) -> list[int]:
    """Return which frame stands nearest to each tick; a frame half-way between two goes to either."""
    ticks = np.arange(0, times[-1] + 0.5 / 25, 1 / 25)
    return [int(np.abs(np.asarray(times) - tick).argmin()) for tick in ticks]


@pytest.mark.parametrize("rate", [12.5, 24, 25, 30, 50, 60])
def test_every_rate_is_brought_to_25_by_the_nearest_frame(tmp_path: Path, rate: float) -> None:
    times = [k / rate for k in range(40)]
    pictures, video = scanned(write_video(tmp_path / "film.mkv", times))
    shown = numbers(pictures)
    apart = np.abs(np.array([times[k] for k in shown]) - np.arange(len(shown)) / 25)
    assert apart.max() <= 0.5 / rate + 0.002
    assert np.all(np.diff(shown) >= 0)
    assert abs(len(shown) - 40 * 25 / rate) <= 1
    assert len(video) == len(shown)
    video.close()


def test_variable_rates_keep_their_time(tmp_path: Path) -> None:
    times = [0.0, 0.043, 0.23, 0.247, 0.252, 0.51, 0.84]
    pictures, video = scanned(write_video(tmp_path / "film.mkv", times))
    assert numbers(pictures)[: len(nearest(times)) - 1] == nearest(times)[:-1]
    video.close()


def test_any_picture_comes_again_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_file, "_KEPT_FRAMES", 5)
    pictures, video = scanned(write_video(tmp_path / "film.mkv", [k / 25 for k in range(40)]))
    there_and_back = [*range(40), *range(38, -1, -1), 0, 39, 3, 3, 20, 19]
    for frame in there_and_back:
        np.testing.assert_array_equal(video.picture(frame), pictures[frame])
    again = video.picture(7)
    again[:] = 0
    np.testing.assert_array_equal(video.picture(7), pictures[7])
    video.close()


@pytest.mark.parametrize(
    ("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))]
)
def test_pictures_stand_upright(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    """A turn is counter-clockwise: the bright corner at the top left goes down the left side."""
    path = write_video(tmp_path / "film.mp4", [k / 25 for k in range(5)], rotation=rotation)
    pictures, video = scanned(path)
    width, height = (WIDTH, HEIGHT) if rotation in (0, 180) else (HEIGHT, WIDTH)
    assert video.size == (width, height)
    assert pictures[0].shape == (height, width, 3)
    corners = {(y, x): int(pictures[0][y, x].mean()) for y in (0, -1) for x in (0, -1)}
    assert max(corners, key=lambda key: corners[key]) == corner
    video.close()


def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mkv", [k / 25 for k in range(5)], size=(63, 47), pix_fmt="bgr0")
    pictures, video = scanned(path)
    assert pictures[0].shape == (46, 62, 3)
    assert video.size == (62, 46)
    video.close()


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a film at all" * 100)
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path in (text, empty, tmp_path):
        with pytest.raises(VideoFileError, match="is not a video that mien can read"):
            VideoFile(path, longest_s=60)
    with pytest.raises(VideoFileError, match="There is no file"):
        VideoFile(tmp_path / "absent.mp4", longest_s=60)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 16_000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
    with pytest.raises(VideoFileError, match="no moving pictures"):
        VideoFile(path, longest_s=60)


def test_long_and_large_videos_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "film.mp4", [k / 25 for k in range(50)])
    with pytest.raises(VideoFileError, match="longer than 1 seconds"):
        VideoFile(path, longest_s=1)
    monkeypatch.setattr(video_file, "LARGEST_SIDE", 60)
    with pytest.raises(VideoFileError, match="64 x 48 pixels"):
        VideoFile(path, longest_s=60)


def test_a_video_that_hides_its_length_is_stopped_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "film.mkv", [0.0, 0.04, 5.0])
    monkeypatch.setattr(VideoFile, "_declared_seconds", lambda _: None)
    video = VideoFile(path, longest_s=2)
    assert video.expected_frames is None
    with pytest.raises(VideoFileError, match="longer than 2 seconds"):
        for _ in video.scan():
            pass
    video.close()


def test_a_torn_video_ends_where_it_is_torn(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mkv", [k / 25 for k in range(50)])
    whole = path.read_bytes()
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(whole[: len(whole) // 2])
    pictures, video = scanned(torn)
    assert 5 < len(pictures) < 50
    video.close()


@pytest.mark.parametrize(
    ("form", "layout", "kind"),
    [("s16", "stereo", np.int16), ("fltp", "stereo", np.float32), ("u8", "mono", np.uint8)],
)
def test_speech_is_followed_by_silence(form: str, layout: str, kind: type) -> None:
    channels = 2 if layout == "stereo" else 1
    shape = (channels, 800) if form.endswith("p") else (1, 800 * channels)
    sound = av.AudioFrame.from_ndarray(np.full(shape, 3, kind), format=form, layout=layout)
    sound.sample_rate = 8000
    pieces = list(lasting([sound], 2.5))
    assert pieces[0] is sound
    assert sum(piece.samples for piece in pieces) == 20_000
    rest = np.concatenate([piece.to_ndarray().ravel() for piece in pieces[1:]])
    assert np.all(rest == (128 if kind is np.uint8 else 0))
    assert [piece.samples for piece in lasting([sound], 0.05)] == [800]  # longer speech is left alone
    assert list(lasting([], 3.0)) == []
