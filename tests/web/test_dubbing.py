"""`mien dub` from file to file, with a drawn talker and a stand-in that knows where its face is."""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_clip import FRAMES, SyntheticClip, draw_clip
from typer.testing import CliRunner

from mien.engine.emotion import Style
from mien.engine.footage import Footage
from mien.engine.landmarks import FaceLandmarks
from mien.engine.timebase import SAMPLES_PER_FRAME
from mien.web import dubbing
from mien.web.casting import find_portrait, open_animator
from mien.web.cli import app


class Knowing:
    """Knows the talker's face in every picture, in order; from `lost` on it sees nobody."""

    def __init__(self, talker: SyntheticClip, lost: int = FRAMES) -> None:
        self._talker, self._lost, self._next = talker, lost, 0
        self.closed = False

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceLandmarks]:
        face = self.track(picture, None)
        return [] if face is None else [face]

    def track(self, picture: NDArray[np.uint8], last: object) -> FaceLandmarks | None:
        frame, self._next = self._next, self._next + 1
        return self._talker.faces[frame] if frame < self._lost else None

    def wander(self, picture: object, face: object) -> NDArray[np.float32]:
        return np.full(478, 0.004, np.float32)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def talker() -> SyntheticClip:
    return draw_clip()


@pytest.fixture(scope="module")
def video(talker: SyntheticClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "talker.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", 25)
        stream.width, stream.height = talker.size
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "8", "b": "0", "deadline": "realtime", "cpu-used": "8"}
        for index, picture in enumerate(talker.pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def knowing(
    talker: SyntheticClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[Knowing]]:
    """Put the one who knows in the landmarker's place; returns those that were opened."""

    def install(**options: Any) -> list[Knowing]:
        opened: list[Knowing] = []

        def open_landmarker(_: Path) -> Knowing:
            opened.append(Knowing(talker, **options))
            return opened[-1]

        monkeypatch.setattr(dubbing, "model_path", lambda *_: tmp_path)
        monkeypatch.setattr(dubbing, "FaceLandmarker", open_landmarker)
        return opened

    return install


def write_tone(path: Path, seconds: float) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 16_000)
        stream.layout = "mono"
        tone = (9000 * np.sin(np.arange(round(16_000 * seconds)) / 6)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def dub(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dub", *(str(each) for each in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(re.sub(r"\x1b\[[0-9;]*m", "", result.output).split())


def pictures_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        assert len(container.streams.audio) == 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize(("seconds", "frames"), [(0.4, FRAMES), (1.6, 40)])
def test_a_film_lasts_as_long_as_video_and_speech(
    tmp_path: Path,
    talker: SyntheticClip,
    video: Path,
    knowing: Callable[..., list[Knowing]],
    seconds: float,
    frames: int,
) -> None:
    opened = knowing()
    film = tmp_path / "film.mp4"
    status, text = dub(video, write_tone(tmp_path / "speech.wav", seconds), film, "--crf", "10")
    assert status == 0, text
    assert f"{frames} frames" in text
    assert "keep their own mouth" not in text
    assert opened[0].closed
    shown = pictures_of(film)
    assert len(shown) == frames
    order = [*range(FRAMES), *range(FRAMES - 2, 0, -1)][:frames]
    for picture, frame in zip(shown, order, strict=True):
        above = slice(0, int(talker.faces[frame].points[4, 1]))
        error = np.abs(picture[above].astype(int) - talker.pictures[frame][above]).mean()
        assert error < 4  # two encodings lie between


def test_frames_without_a_face_are_counted(
    tmp_path: Path, video: Path, knowing: Callable[..., list[Knowing]]
) -> None:
    knowing(lost=16)
    status, text = dub(video, write_tone(tmp_path / "speech.wav", 0.2), tmp_path / "film.webm")
    assert status == 0, text
    assert "11 of the video's 24 frames keep their own mouth" in text


def test_what_cannot_be_dubbed_is_told(
    tmp_path: Path, video: Path, knowing: Callable[..., list[Knowing]]
) -> None:
    knowing(lost=0)
    speech = write_tone(tmp_path / "speech.wav", 0.2)
    for arguments, words in (
        ((video, speech, tmp_path / "film.mp4"), "No face was found in this video."),
        ((speech, speech, tmp_path / "film.mp4"), "There are no moving pictures in speech.wav."),
        ((tmp_path / "none.mp4", speech, tmp_path / "film.mp4"), "There is no file"),
        ((video, video, tmp_path / "film.mp4"), "There is no sound in talker.mp4."),
        ((video, speech, tmp_path / "film.txt"), "does not end like a film"),
    ):
        status, text = dub(*arguments)
        assert status == 2
        assert words in text
        assert "What to do:" in text
        assert not (tmp_path / "film.mp4").exists()
    knowing()
    status, text = dub(video, speech, tmp_path / "film.mp4", "--face", "1")
    assert (status, "begins with 1 face, so there is no face 1" in text) == (2, True)


def test_a_video_is_a_portrait_for_sessions(video: Path, knowing: Callable[..., list[Knowing]]) -> None:
    knowing()
    told: list[str] = []
    found = find_portrait(str(video), size=(256, 256), progress=lambda words, _: told.append(words))
    assert isinstance(found, Footage)
    assert (found.name, found.size, len(found.clip)) == ("talker", (256, 256), FRAMES)
    assert "Following the face" in told
    animator = open_animator(found, size=(256, 256), style=Style(), seed=0)
    frames = animator.push(np.zeros(12 * SAMPLES_PER_FRAME, np.float32))
    assert len(frames) == 12 - animator.delay_frames
    assert {frame.i420.shape for frame in frames} == {(384, 256)}
    # In silence the body moves on all the same.
    assert len({frame.i420.tobytes() for frame in frames}) == len(frames)
    animator.close()
