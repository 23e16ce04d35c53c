import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Where kernels run is a module of the tests' own.
sys.path.insert(0, str(Path(__file__).parent))

from mien.kernels.native import allow_avx2


@pytest.fixture(params=["with AVX2 where there is", "portable"])
def simd(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run a test once with and once without AVX2."""
    allow_avx2(request.param != "portable")
    yield
    allow_avx2(True)
