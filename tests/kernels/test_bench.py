import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def run_bench(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "tools/bench_cuda.py", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_without_a_device_the_bench_says_so_and_fails() -> None:
    done = run_bench(CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "This bench" in done.stderr
    assert "NVIDIA" in done.stderr or "nvidia-smi" in done.stderr


@pytest.mark.gpu
@pytest.mark.slow
def test_the_bench_measures() -> None:
    done = run_bench("--sizes", "64", "--batches", "1", "2", "--rounds", "3")
    assert done.returncode == 0, done.stderr
    assert "every kernel equals its reference" in done.stdout
    assert "a frame, weights to I420" in done.stdout
