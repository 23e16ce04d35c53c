"""What every test may ask for."""

from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of speech, faces and rigs beside the checkout; tests that need it skip without it."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the data folder ../shared/data")
    return folder


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a CUDA device where there is none."""
    if item.get_closest_marker("gpu"):
        missing = _missing_for_cuda()
        if missing:
            pytest.skip(missing)


@cache
def _missing_for_cuda() -> str | None:
    try:
        import cupy
    except ImportError:
        return "needs CuPy"
    try:
        return None if cupy.cuda.runtime.getDeviceCount() else "needs a CUDA device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"needs a CUDA device: {error}"
