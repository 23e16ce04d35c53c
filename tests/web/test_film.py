"""A film holds the speech's picture and sound, in step to the sample."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.animator import VideoFrame
from mien.engine.errors import AssetError, ConfigError
from mien.engine.motion import CHANNELS
from mien.engine.timebase import SAMPLE_RATE, SAMPLES_PER_FRAME
from mien.web.film import (
    Codec,
    FilmConfig,
    SpeechFileError,
    read_speech,
    speech_seconds,
    voice_frames,
    write_film,
)

CLICK_FRAME = 20
LOOK_AHEAD = 2


class LightFace:
    """A grey picture, white in the frames whose sound is loud, each two frames late."""

    size = (64, 64)

    def __init__(self) -> None:
        self.heard = np.zeros(0, np.float32)
        self.shown = 0

    def push(self, pcm: NDArray[np.float32]) -> list[VideoFrame]:
        assert pcm.dtype == np.float32
        self.heard = np.concatenate([self.heard, pcm])
        return self._show(len(self.heard) // SAMPLES_PER_FRAME - LOOK_AHEAD)

    def flush(self) -> list[VideoFrame]:
        return self._show(-(-len(self.heard) // SAMPLES_PER_FRAME))

    def _show(self, until: int) -> list[VideoFrame]:
        frames = [self._draw(index) for index in range(self.shown, until)]
        self.shown = max(self.shown, until)
        return frames

    def _draw(self, index: int) -> VideoFrame:
        sound = self.heard[index * SAMPLES_PER_FRAME : (index + 1) * SAMPLES_PER_FRAME]
        i420 = np.full((96, 64), 128, np.uint8)
        i420[:64] = 235 if np.abs(sound).max(initial=0) > 0.1 else 40
        return VideoFrame(index, i420, np.zeros(CHANNELS, np.float32))


def write_sound(path: Path, samples: NDArray[np.float32], rate: int, codec: str, layout: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate)
        stream.layout = layout
        channels = 1 if layout == "mono" else 2
        frame = av.AudioFrame.from_ndarray(np.tile(samples, (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate = rate
        to_codec = av.AudioResampler(
            stream.format, layout, rate, frame_size=stream.codec_context.frame_size or 0
        )
        for piece in [*to_codec.resample(frame), *to_codec.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def speech_with_a_click(rate: int, seconds: float = 1.5) -> NDArray[np.float32]:
    """Silence, but for one frame of a 1 kHz tone that begins exactly with frame 20, at 0.8 s."""
    samples = np.zeros(round(rate * seconds), np.float32)
    begin, length = CLICK_FRAME * rate // 25, rate // 25
    samples[begin : begin + length] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(length) / rate)
    return samples


def brightness(path: Path) -> list[tuple[float, float]]:
    with av.open(str(path)) as container:
        return [
            (float(f.pts * f.time_base), float(f.to_ndarray(format="gray").mean()))
            for f in container.decode(video=0)
        ]


def sound_of(path: Path) -> tuple[float, NDArray[np.float32], int]:
    """Return when the sound begins in the file, the mono samples and their rate."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    return (
        float(frames[0].pts * frames[0].time_base),
        np.concatenate([f.to_ndarray()[0] for f in frames]),
        rate,
    )


@pytest.mark.parametrize(
    ("suffix", "rate", "codec", "layout"),
    [
        (".wav", 16_000, "pcm_s16le", "mono"),
        (".wav", 44_100, "pcm_s24le", "stereo"),
        (".flac", 48_000, "flac", "stereo"),
        (".wav", 8_000, "pcm_s16le", "mono"),
    ],
)
def test_picture_and_sound_are_in_step(
    tmp_path: Path, suffix: str, rate: int, codec: str, layout: str
) -> None:
    speech, film = tmp_path / f"speech{suffix}", tmp_path / "film.mp4"
    write_sound(speech, speech_with_a_click(rate), rate, codec, layout)

    frames = write_film(read_speech(speech), LightFace(), film)

    assert frames == 38  # 1.5 s are 37.5 frames
    pictures = brightness(film)
    assert [time for time, _ in pictures] == pytest.approx([k / 25 for k in range(38)])
    assert [k for k, (_, light) in enumerate(pictures) if light > 150] == [CLICK_FRAME]
    begin, samples, film_rate = sound_of(film)
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    assert begin + loud[0] / film_rate == pytest.approx(CLICK_FRAME / 25, abs=0.001)
    assert begin + loud[-1] / film_rate == pytest.approx((CLICK_FRAME + 1) / 25, abs=0.001)


def test_mp3_is_read(tmp_path: Path) -> None:
    speech = tmp_path / "speech.mp3"
    write_sound(speech, speech_with_a_click(44_100), 44_100, "libmp3lame", "mono")
    write_film(read_speech(speech), LightFace(), tmp_path / "film.mp4")
    lit = [k for k, (_, light) in enumerate(brightness(tmp_path / "film.mp4")) if light > 150]
    assert CLICK_FRAME in lit
    assert set(lit) <= {CLICK_FRAME - 1, CLICK_FRAME, CLICK_FRAME + 1}  # the coder smears the edges


@pytest.mark.parametrize(("codec", "name"), [(Codec.VP9, "vp9"), (Codec.AV1, "av1"), (Codec.H264, "h264")])
def test_codecs(tmp_path: Path, codec: Codec, name: str) -> None:
    film = tmp_path / "film.mp4"
    write_film(tone(), LightFace(), film, config=FilmConfig(codec=codec))
    with av.open(str(film)) as container:
        assert (
            container.streams.video[0]
            .codec_context.name.removeprefix("lib")
            .startswith("dav1d" if codec is Codec.AV1 else name)
        )
        assert container.streams.audio[0].codec_context.name == "aac"
        assert container.streams.video[0].average_rate == 25


def test_webm_takes_opus(tmp_path: Path) -> None:
    film = tmp_path / "film.webm"
    write_film(tone(), LightFace(), film)
    with av.open(str(film)) as container:
        assert container.streams.audio[0].codec_context.name == "opus"


def tone() -> Iterator[av.AudioFrame]:
    rate = 24_000
    samples = 0.3 * np.sin(2 * np.pi * 300 * np.arange(rate // 2) / rate).astype(np.float32)
    return voice_frames([samples[:5000], samples[:0], samples[5000:]], rate)


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    told: list[int] = []
    frames = write_film(tone(), LightFace(), tmp_path / "film.mp4", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == frames == 13


def test_says_how_long_the_speech_is(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", speech_with_a_click(SAMPLE_RATE), SAMPLE_RATE, "pcm_s16le", "mono")
    assert speech_seconds(tmp_path / "a.wav") == pytest.approx(1.5)


def test_refuses_what_is_no_speech(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound at all")
    with pytest.raises(SpeechFileError, match="not a sound file"):
        write_film(read_speech(tmp_path / "text.wav"), LightFace(), tmp_path / "film.mp4")
    with pytest.raises(SpeechFileError, match="There is no file"):
        write_film(read_speech(tmp_path / "none.wav"), LightFace(), tmp_path / "film.mp4")
    with pytest.raises(SpeechFileError, match="no sound to speak"):
        write_film([], LightFace(), tmp_path / "film.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.wav"]


def test_refuses_a_film_it_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not end like a film"):
        write_film(tone(), LightFace(), tmp_path / "film.txt")
    with pytest.raises(AssetError, match="cannot be written"):
        write_film(tone(), LightFace(), tmp_path / "nowhere" / "film.mp4")


def test_crf_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"outside 0\.\.63"):
        FilmConfig(crf=64)
