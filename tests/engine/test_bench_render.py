import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.shared
@pytest.mark.slow
def test_the_bench_accounts_for_the_whole_frame(shared_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "tools/bench_render.py", "--data", str(shared_data), "--frames", "20"]
    command += ["--sizes", "192x256", "--json", str(tmp_path / "figures.json")]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    figures = json.loads((tmp_path / "figures.json").read_text())["sizes"]["192x256"]
    whole = figures.pop("frame")
    assert whole["p50"] <= whole["p95"] <= whole["p99"]
    others = ("frame, wall", "VP8", "whole-picture redraw", "remap alone", "ratio", "sessions a core")
    assert all(figures.pop(name) for name in others)
    stages = {name: row["mean"] for name, row in figures.items()}
    assert sum(stages.values()) == pytest.approx(whole["mean"], rel=0.05)
    assert min(stages[name] for name in ("move vertices", "map of the skin", "sample the photo", "eyes")) > 0
