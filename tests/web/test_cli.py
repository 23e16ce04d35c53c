"""The command line: what it writes, and that every failure is two lines and no traceback."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from mien.engine.animator import VideoFrame
from mien.engine.emotion import Emotion, Style
from mien.engine.errors import BackendUnavailable
from mien.engine.motion import CHANNELS
from mien.engine.timebase import SAMPLES_PER_FRAME
from mien.web import casting, doctor
from mien.web.casting import find_portrait
from mien.web.cli import app
from mien.web.doctor import Check, State, bind

ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Grey:
    """A grey face that notes how it was opened and closed."""

    size = (64, 64)

    def __init__(self) -> None:
        self.samples = 0
        self.closed = False

    def push(self, pcm: NDArray[np.float32]) -> list[VideoFrame]:
        before = self.samples // SAMPLES_PER_FRAME
        self.samples += len(pcm)
        return [self._frame(index) for index in range(before, self.samples // SAMPLES_PER_FRAME)]

    def flush(self) -> list[VideoFrame]:
        whole = self.samples // SAMPLES_PER_FRAME
        return [self._frame(whole)] if self.samples % SAMPLES_PER_FRAME else []

    def close(self) -> None:
        self.closed = True

    def _frame(self, index: int) -> VideoFrame:
        return VideoFrame(index, np.full((96, 64), 128, np.uint8), np.zeros(CHANNELS, np.float32))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put a grey face in place of the real one, and note how it was asked for."""
    asked: dict[str, Any] = {"face": Grey()}

    def open_animator(portrait: Any, **options: Any) -> Grey:
        asked.update(options, portrait=portrait)
        face: Grey = asked["face"]
        return face

    monkeypatch.setattr(casting, "find_portrait", lambda name, **_: name)
    monkeypatch.setattr(casting, "open_animator", open_animator)
    return asked


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """A second of a tone, as a WAV file."""
    path = tmp_path / "speech.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", 22_050)
        stream.layout = "mono"
        tone = (8000 * np.sin(np.arange(22_050) / 10)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 22_050
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(*arguments: Any) -> tuple[int, str]:
    """Run a command; return its status and all it printed, without colours and line breaks."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(ANSI.sub("", result.output).split())


def test_help_names_every_command() -> None:
    status, text = run("--help")
    assert status == 0
    for command in ("serve", "render", "say", "dub", "prepare", "doctor", "fetch"):
        assert command in text
        assert run(command, "--help")[0] == 0


def test_version() -> None:
    status, text = run("--version")
    assert status == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", text)


def test_render_writes_a_film(tmp_path: Path, speech: Path, opened: dict[str, Any]) -> None:
    film = tmp_path / "film.mp4"
    options = [
        "--emotion",
        "happy",
        "--intensity",
        "2",
        "--mouth-gain",
        "0.5",
        "--size",
        "256x320",
        "--crf",
        "30",
    ]
    status, text = run("render", speech, "anna", film, *options)
    assert status == 0
    assert "25 frames" in text
    with av.open(str(film)) as container:
        assert container.streams.video[0].frames == 25
        assert len(container.streams.audio) == 1
    assert opened["portrait"] == "anna"
    np.testing.assert_array_equal(opened["style"], Style(Emotion.HAPPY, 2.0).vector())
    assert opened["mouth_gain"] == 0.5
    assert opened["size"] == (256, 320)
    assert opened["face"].closed


def test_say_writes_a_film(tmp_path: Path, opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Hum:
        sample_rate = 24_000

        def stream(self, text: str) -> Iterator[NDArray[np.float32]]:
            assert text == "Hello there."
            yield np.full(12_000, 0.1, np.float32)
            yield np.full(12_000, -0.1, np.float32)

    monkeypatch.setattr("mien.streaming.synthesis.HibariSynthesizer", Hum)
    status, text = run("say", "Hello there.", "anna", tmp_path / "film.webm")
    assert status == 0
    assert "25 frames" in text


@pytest.mark.parametrize(
    ("arguments", "problem", "remedy"),
    [
        (["render", "none.wav", "anna", "film.mp4"], "no file", "Check the path"),
        (["render", "SPEECH", "anna", "film.gif"], "does not end like a film", ".mp4"),
        (["render", "SPEECH", "anna", "film.mp4", "--crf", "99"], "outside 0..63", "24"),
        (["say", "?!", "anna", "film.mp4"], "nothing to say", "at least one word"),
    ],
)
def test_failures_are_two_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    speech: Path,
    opened: dict[str, Any],
    arguments: list[str],
    problem: str,
    remedy: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, text = run(*[str(speech) if argument == "SPEECH" else argument for argument in arguments])
    assert status == 2
    assert problem in text
    assert remedy in text
    assert "Traceback" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["speech.wav"]


def test_missing_voice_says_what_to_install(
    tmp_path: Path, opened: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise BackendUnavailable("No voice.", remedy="pip install 'mien[tts]'")

    monkeypatch.setattr("mien.streaming.synthesis.HibariSynthesizer", missing)
    status, text = run("say", "Hello.", "anna", tmp_path / "film.mp4")
    assert status == 2
    assert "pip install 'mien[tts]'" in text


@pytest.mark.parametrize(
    "option", [["--intensity", "4"], ["--emotion", "happy 2 sad 2"], ["--size", "1"], ["--seed", "-1"]]
)
def test_options_are_checked(tmp_path: Path, speech: Path, option: list[str]) -> None:
    status, text = run("render", speech, "anna", tmp_path / "film.mp4", *option)
    assert status == 2
    assert "Traceback" not in text


def test_unknown_portrait_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(casting.PortraitNotFound, match="no portrait or file named nobody") as error:
        find_portrait("nobody")
    for portrait in casting.builtin_portraits():
        assert portrait.id in error.value.remedy


def test_photo_without_a_face(
    tmp_path: Path,
    photo: Callable[..., bytes],
    counting_landmarker: Any,
    preparing: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(casting, "model_path", lambda *_: tmp_path)
    monkeypatch.setattr(casting, "open_segmenter", lambda _: None)
    monkeypatch.setattr(casting, "FaceLandmarker", lambda _: counting_landmarker())
    (tmp_path / "none.png").write_bytes(photo(0))
    (tmp_path / "three.png").write_bytes(photo(3))
    (tmp_path / "text.png").write_text("words")
    assert run("prepare", tmp_path / "none.png", tmp_path / "out.npz")[0] == 2
    status, text = run("prepare", tmp_path / "three.png", tmp_path / "out.npz")
    assert status == 2
    assert "3 faces" in text
    assert "0 to 2" in text
    assert "0 from 10, 10 to 50, 50" in text
    assert "not a picture" in run("prepare", tmp_path / "text.png", tmp_path / "out.npz")[1]
    (tmp_path / "one.png").write_bytes(photo(1))
    monkeypatch.setattr("mien.web.cli._save", lambda portrait, path: path.write_text(portrait.name))
    status, text = run("prepare", tmp_path / "one.png", tmp_path / "out.npz")
    assert status == 0
    assert (tmp_path / "out.npz").read_text() == "one"
    assert "cannot be read" in run("prepare", tmp_path / "missing.png", tmp_path / "out.npz")[1]


def test_port_in_use() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        status, text = run("serve", "--port", taken.getsockname()[1])
    assert status == 2
    assert "is in use already" in text
    assert "--port" in text


def test_host_that_is_not_ours() -> None:
    status, text = run("serve", "--host", "192.0.2.1")
    assert status == 2
    assert "What to do:" in text


def checks_of(*checks: Check) -> Callable[..., Iterator[Check]]:
    return lambda **_: iter(checks)


def test_doctor_tells_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    well = Check("Python", State.OK, "3.11")
    absent = Check("GPU", State.ABSENT, "No NVIDIA driver", "None is needed.")
    ill = Check("Port 8420", State.PROBLEM, "In use", "Choose another one.")
    monkeypatch.setattr(doctor, "examine", checks_of(well, absent))
    status, text = run("doctor")
    assert status == 0
    assert "None is needed." in text
    monkeypatch.setattr(doctor, "examine", checks_of(well, ill))
    status, text = run("doctor", "--json")
    assert status == 1
    assert json.loads(text) == [
        {"name": "Python", "state": "ok", "found": "3.11", "remedy": ""},
        {"name": "Port 8420", "state": "problem", "found": "In use", "remedy": "Choose another one."},
    ]


def test_doctor_looks_at_everything() -> None:
    checks = {check.name: check for check in doctor.examine(port=0)}
    assert len(checks) == 17
    assert checks["Python"].state is State.OK
    assert checks["Packages"].state is State.OK
    assert checks["Live codecs"].state is State.OK
    assert "vp9" in checks["Film codecs"].found
    assert all(check.remedy for check in checks.values() if check.state is State.PROBLEM)


def test_doctor_sees_a_port_in_use() -> None:
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        check = doctor.check_port("127.0.0.1", taken.getsockname()[1])
    assert check.state is State.PROBLEM
    assert "in use" in check.found


def test_doctor_misses_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PACKAGES", ("numpy", "no-such-package"))
    check = doctor.check_packages()
    assert check.state is State.PROBLEM
    assert check.found == "Missing: no-such-package"


def test_doctor_survives_a_driver_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: str(broken))
    assert doctor.check_gpu().state is State.ABSENT
