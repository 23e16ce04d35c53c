"""Speech in, a film out: the live engine, offline, with the voice in the same file.

Frame k shows samples 640 k to 640 k + 639 of the speech, and stands in the file at k / 25 s, while sample n
stands at n / 16000 s: picture and sound start together and stay so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from mien.engine.errors import AssetError, BackendUnavailable, ConfigError
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from mien.engine.animator import VideoFrame

VOICE_RATE: Final = 48_000
"""Samples a second of the voice in the film."""

VOICE_BITRATE: Final = 128_000
"""Bits a second of the voice in the film."""

BT601: Final = 6
"""SMPTE 170M in ITU-T H.273's tables: the frames' colours are BT.601, limited range."""

LIMITED_RANGE: Final = 1


class Codec(StrEnum):
    """How the picture is compressed.

    VP9 is the default because its encoder (libvpx, BSD) and its format are free, and every current browser
    and player reads it. AV1 (SVT-AV1, BSD) is smaller and slower. H.264 plays on the oldest devices, but its
    encoder in PyAV's wheels is x264, which is GPL: mien uses it only where it is asked for by name.
    """

    VP9 = "vp9"
    AV1 = "av1"
    H264 = "h264"

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder."""
        return _ENCODERS[self].name


@dataclass(frozen=True, slots=True)
class _Encoder:
    name: str
    options: dict[str, str]
    lowest_crf: int
    highest_crf: int
    usual_crf: int


_ENCODERS: Final = {
    Codec.VP9: _Encoder(
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "6", "row-mt": "1", "b": "0"},
        0,
        63,
        24,
    ),
    Codec.AV1: _Encoder("libsvtav1", {"preset": "9"}, 1, 63, 28),
    Codec.H264: _Encoder("libx264", {"preset": "veryfast"}, 0, 51, 18),
}

_VOICE_CODEC: Final = {".mp4": "aac", ".m4v": "aac", ".mov": "aac", ".mkv": "libopus", ".webm": "libopus"}
"""By the film's suffix. Both encoders are FFmpeg's own or BSD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmConfig:
    """How a film is written."""

    codec: Codec = Codec.VP9

    crf: int | None = None
    """Constant rate factor: lower is better and larger. None takes the codec's usual one."""

    def __post_init__(self) -> None:
        encoder = _ENCODERS[self.codec]
        if self.crf is not None and not encoder.lowest_crf <= self.crf <= encoder.highest_crf:
            raise ConfigError(
                f"The crf is {self.crf}, outside {encoder.lowest_crf}..{encoder.highest_crf}.",
                remedy=f"{encoder.usual_crf} looks good with {self.codec}; lower is better and larger.",
            )


_CHOOSE_SPEECH: Final = "Choose a WAV, FLAC, MP3, Opus or M4A file of speech."


class Face(Protocol):
    """What a film is made with. mien.engine.animator.Animator is one."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    def push(self, pcm: NDArray[np.float32]) -> list[VideoFrame]:
        """Take in sound, float32[n] at 16 kHz, and return the pictures that became due."""

    def flush(self) -> list[VideoFrame]:
        """Return the pictures still waiting for the sound after them."""


Progress = Callable[[int], None]
"""Told the number of frames done, now and then."""


class SpeechFileError(AssetError):
    """A speech file is missing, damaged, silent of sound tracks, or no sound at all."""


def read_speech(path: Path) -> Iterator[av.AudioFrame]:
    """Decode any sound file that FFmpeg reads, piece by piece. Raises SpeechFileError."""
    with _speech_errors(path), av.open(str(path)) as container:
        _check_sound(container, path)
        yield from container.decode(container.streams.audio[0])


def speech_seconds(path: Path) -> float | None:
    """Return how long a sound file says it is, or None if it does not. Raises SpeechFileError."""
    with _speech_errors(path), av.open(str(path)) as container:
        _check_sound(container, path)
        return None if container.duration is None else container.duration / av.time_base


def _check_sound(container: Any, path: Path) -> None:
    if not container.streams.audio:
        raise SpeechFileError(f"There is no sound in {path.name}.", remedy=_CHOOSE_SPEECH)


def voice_frames(blocks: Iterable[NDArray[np.float32]], rate: int) -> Iterator[av.AudioFrame]:
    """Wrap a synthesizer's blocks, float32[n] in -1..1, mono, as sound to make a film of."""
    for block in blocks:
        if not len(block):
            continue
        frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="fltp", layout="mono")
        frame.sample_rate = rate
        yield frame


def write_film(
    speech: Iterable[av.AudioFrame],
    face: Face,
    path: Path,
    *,
    config: FilmConfig | None = None,
    progress: Progress = lambda _: None,
) -> int:
    """Make the film and return how many frames it has: the speech, rounded up to whole frames.

    The file appears under its name only once it is whole. Raises SpeechFileError, AssetError where the film
    cannot be written, ConfigError for a suffix that is no film's, BackendUnavailable where PyAV lacks the
    encoder.
    """
    config = config or FilmConfig()
    check_film(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        frames = _write(speech, face, part, config, progress)
        part.replace(path)
    except (av.FFmpegError, OSError) as error:
        raise AssetError(
            f"{path} cannot be written: {error.strerror or error}.",
            remedy="Check the folder, its permissions and its space.",
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return frames


def check_film(path: Path) -> None:
    """Raise ConfigError for a suffix that is no film's."""
    if path.suffix.lower() not in _VOICE_CODEC:
        raise ConfigError(
            f"{path.name} does not end like a film.", remedy=f"End it in one of {', '.join(_VOICE_CODEC)}."
        )


def _write(
    speech: Iterable[av.AudioFrame], face: Face, path: Path, config: FilmConfig, progress: Progress
) -> int:
    options = {"movflags": "+faststart"} if path.suffix.lower() in (".mp4", ".m4v", ".mov") else {}
    with av.open(str(path), "w", options=options) as container:
        picture = _PictureTrack(container, face.size, config)
        voice = _VoiceTrack(container, path.suffix.lower())
        to_engine = av.AudioResampler("fltp", "mono", SAMPLE_RATE)
        heard = 0
        for sound in _without_times(speech):
            voice.add(sound)
            for pcm in _samples(to_engine, sound):
                heard += len(pcm)
                picture.add(face.push(pcm))
                progress(picture.frames)
        for pcm in _samples(to_engine, None):
            heard += len(pcm)
            picture.add(face.push(pcm))
        if not heard:
            raise SpeechFileError(
                "There is no sound to speak.", remedy="Choose a file that holds some speech."
            )
        picture.add(face.flush())
        picture.close()
        voice.close()
        progress(picture.frames)
        if picture.frames != -(-heard // SAMPLES_PER_FRAME):
            raise ValueError(f"{heard} samples gave {picture.frames} frames")
        return picture.frames


class _PictureTrack:
    """The film's pictures."""

    def __init__(self, container: Any, size: tuple[int, int], config: FilmConfig) -> None:
        encoder = _ENCODERS[config.codec]
        self._container = container
        self._stream = _add_stream(container, encoder.name, FRAME_RATE)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = Fraction(1, FRAME_RATE)
        crf = encoder.usual_crf if config.crf is None else config.crf
        self._stream.options = {**encoder.options, "crf": str(crf)}
        context = self._stream.codec_context
        context.colorspace, context.color_range = BT601, LIMITED_RANGE
        context.color_primaries, context.color_trc = BT601, BT601
        self.frames = 0

    def add(self, frames: Iterable[VideoFrame]) -> None:
        """Write pictures, in order from the first."""
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.i420, format="yuv420p")
            picture.colorspace, picture.color_range = BT601, LIMITED_RANGE
            picture.pts, picture.time_base = frame.index, Fraction(1, FRAME_RATE)
            self._container.mux(self._stream.encode(picture))
            self.frames += 1

    def close(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


class _VoiceTrack:
    """The film's sound: as it came, but at 48 kHz and with two channels at most."""

    def __init__(self, container: Any, suffix: str) -> None:
        self._container = container
        self._suffix = suffix
        self._stream: Any = None
        self._resampler: av.AudioResampler | None = None
        self._written = 0

    def add(self, sound: av.AudioFrame) -> None:
        """Write a piece of sound."""
        if self._stream is None:
            layout = "mono" if sound.layout.nb_channels == 1 else "stereo"
            self._stream = _add_stream(self._container, _VOICE_CODEC[self._suffix], VOICE_RATE)
            self._stream.layout = layout
            self._stream.bit_rate = VOICE_BITRATE
            self._resampler = av.AudioResampler(self._stream.format, layout, VOICE_RATE)
        self._encode(sound)

    def close(self) -> None:
        """Write what the resampler and the encoder still hold."""
        if self._stream is not None:
            self._encode(None)
            self._container.mux(self._stream.encode(None))

    def _encode(self, sound: av.AudioFrame | None) -> None:
        assert self._resampler is not None
        for piece in self._resampler.resample(sound):
            piece.pts, piece.time_base = self._written, Fraction(1, VOICE_RATE)
            self._written += piece.samples
            self._container.mux(self._stream.encode(piece))


def can_encode(codec: str) -> bool:
    """Say whether the PyAV installed here has this encoder."""
    try:
        av.Codec(codec, "w")
    except (ValueError, av.FFmpegError):
        return False
    return True


def _add_stream(container: Any, codec: str, rate: int) -> Any:
    if not can_encode(codec):
        raise BackendUnavailable(
            f"The PyAV installed here cannot encode with {codec}.",
            remedy="Install PyAV's own wheel (pip install --force-reinstall av), or choose another --codec.",
        )
    return container.add_stream(codec, rate)


def _without_times(speech: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Let every piece follow the one before: gaps and odd clocks must not part sound and picture."""
    for sound in speech:
        sound.pts = None
        yield sound


def _samples(resampler: av.AudioResampler, sound: av.AudioFrame | None) -> Iterator[NDArray[np.float32]]:
    for piece in resampler.resample(sound):
        yield piece.to_ndarray()[0]


@contextmanager
def _speech_errors(path: Path) -> Iterator[None]:
    """Tell a user's mistake in a user's words."""
    try:
        yield
    except FileNotFoundError as error:
        raise SpeechFileError(f"There is no file {path}.", remedy="Check the path of the speech.") from error
    except (av.FFmpegError, OSError) as error:
        raise SpeechFileError(
            f"{path.name} is not a sound file that mien can read: {error.strerror or error}.",
            remedy=_CHOOSE_SPEECH,
        ) from error
