"""mien serve as a process of its own, with the real engine behind it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

STARTS_WITHIN_S = 120  # the first start on a machine compiles the kernels


@contextmanager
def served(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the server; yield its process and its address."""
    command = [sys.executable, "-m", "mien.web.cli", "serve", "--port", "0", *options]
    environment = os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    guard = threading.Timer(STARTS_WITHIN_S, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        printed = ""
        while not (found := re.search(r"http://localhost:\d+/", printed)):
            line = process.stdout.readline()
            assert line, f"the server ended: {printed}"
            printed += line
        yield process, found.group()
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_told_to_end(ending: signal.Signals) -> None:
    with served("--sessions", "3") as (process, url):
        with urllib.request.urlopen(f"{url}v1/health", timeout=10) as answer:
            assert json.load(answer)["sessions"] == {"open": 0, "capacity": 3}
        with urllib.request.urlopen(f"{url}v1/portraits", timeout=10) as answer:
            portraits = json.load(answer)["portraits"]
        assert len(portraits) >= 3
        for portrait in portraits:
            with urllib.request.urlopen(url + portrait["picture"], timeout=10) as answer:
                assert answer.headers["content-type"] == "image/jpeg"
        process.send_signal(ending)
        assert process.stdout is not None
        rest = process.stdout.read()
        assert process.wait(15) == 0
        assert "Stopped." in rest
        assert "Traceback" not in rest
