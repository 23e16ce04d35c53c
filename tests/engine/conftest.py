import sys
from pathlib import Path

import pytest

from mien.engine.landmarks import FaceLandmarker
from mien.web.model_store import FACE_FINDER, find_model

# The small stand-in nets are a module of the tests' own.
sys.path.insert(0, str(Path(__file__).parent))

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def model_path() -> Path:
    """The landmark model: fetched earlier by mien, or the copy beside the checkout."""
    found = find_model(FACE_FINDER)
    beside = REPOSITORY.parent / "shared/data/models/face_landmarker/public/face_landmarker.task"
    if found is None and beside.is_file():
        found = beside
    if found is None:
        pytest.skip("the landmark model is not on this machine; `mien doctor` tells how to get it")
    return found


@pytest.fixture(scope="session")
def landmarker(model_path: Path) -> FaceLandmarker:
    return FaceLandmarker(model_path)
