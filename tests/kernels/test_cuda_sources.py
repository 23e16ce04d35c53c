import re
from pathlib import Path

import pytest
from nvrtc import compile_cuda
from places import KERNELS, SOURCES

from mien.kernels import device

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("source", SOURCES)
def test_nvrtc_compiles_without_a_remark(source: str, architecture: int) -> None:
    code, remarks = compile_cuda(KERNELS / f"{source}.cu", architecture, device.COMPILE_OPTIONS)
    assert code.startswith(b"\x7fELF")
    assert remarks == ""
    for name in re.findall(r"__global__ void (\w+)\(", (KERNELS / f"{source}.cu").read_text()):
        assert name.encode() in code


def test_nvrtc_refuses_what_is_wrong(tmp_path: Path) -> None:
    source = tmp_path / "wrong.cu"
    source.write_text('extern "C" __global__ void wrong(int n) { m = n; }')
    with pytest.raises(AssertionError, match='identifier "m" is undefined'):
        compile_cuda(source, 90, device.COMPILE_OPTIONS)


@pytest.mark.parametrize("source", SOURCES)
def test_its_meaning_stands_beside_it(source: str) -> None:
    assert "_reference(" in (KERNELS / f"{source}.py").read_text()
