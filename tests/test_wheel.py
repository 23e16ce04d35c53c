"""The wheel, in a fresh environment elsewhere: it serves the page and speaks."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
START_SECONDS = 60

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the tree and install it, with all it needs, where no source lies near."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", elsewhere, REPOSITORY], check=True)
    (wheel,) = elsewhere.glob("mien-*.whl")
    environment = elsewhere / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", f"{wheel}[tts]"], check=True)
    return environment


@pytest.fixture
def server(installed: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [installed / "bin" / "mien", "serve", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_until_listening(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0, log.read_text()


def _wait_until_listening(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"the server did not start: {log.read_text()}")


def test_the_wheel_serves_the_page(server: str) -> None:
    with urllib.request.urlopen(f"{server}/", timeout=10) as answer:
        assert b"<title>mien" in answer.read()
    with urllib.request.urlopen(f"{server}/v1/portraits", timeout=10) as answer:
        assert answer.status == 200
        assert answer.read().count(b'"id"') >= 3


def test_the_wheel_brings_the_cuda_sources(installed: Path) -> None:
    brought = {path.name for path in installed.glob("lib/python*/site-packages/mien/kernels/*.cu")}
    assert brought == {path.name for path in (REPOSITORY / "kernels").glob("*.cu")}
    assert "warp.cu" in brought


def test_the_wheel_speaks(installed: Path, tmp_path: Path) -> None:
    film = tmp_path / "hello.mp4"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(
        [installed / "bin" / "mien", "say", "Good morning, everybody.", "astronaut", film],
        cwd=tmp_path,
        env=environment,
        check=True,
    )
    with av.open(str(film)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    with av.open(str(film)) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    assert len(pictures) >= 25
    assert np.abs(sound).max() > 0.05
    changes = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(pictures)]
    assert max(changes) > 0.1
