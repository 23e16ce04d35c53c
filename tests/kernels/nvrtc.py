"""NVIDIA's run-time compiler by itself: it needs neither CuPy, nor a driver, nor a device."""

import ctypes
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest


def compile_cuda(source: Path, architecture: int, options: tuple[str, ...]) -> tuple[bytes, str]:
    """Return a .cu file's machine code for a compute capability (90 is 9.0), and the compiler's remarks."""
    nvrtc = _library()
    program = ctypes.c_void_p()
    code = source.read_bytes()
    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), code, source.name.encode(), 0, None, None)
    assert created == 0, f"nvrtcCreateProgram returned {created}"
    try:
        words = [f"--gpu-architecture=sm_{architecture}".encode(), *(option.encode() for option in options)]
        result = nvrtc.nvrtcCompileProgram(program, len(words), (ctypes.c_char_p * len(words))(*words))
        remarks = _read(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
        text = remarks.rstrip(b"\0").decode().strip()
        assert result == 0, f"{source.name} for sm_{architecture}:\n{text}"
        return _read(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program), text
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _read(ask_size: Any, ask: Any, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    assert ask_size(program, ctypes.byref(size)) == 0
    content = ctypes.create_string_buffer(size.value)
    assert ask(program, content) == 0
    return content.raw


@cache
def _library() -> ctypes.CDLL:
    if sys.platform == "darwin":
        pytest.skip("there is no NVRTC for macOS")
    try:
        found = files("nvidia-cuda-nvrtc") or []
    except PackageNotFoundError:
        pytest.fail(
            "the .cu files are checked by NVRTC, which is missing: pip install 'nvidia-cuda-nvrtc>=13,<14'"
        )
    library = next(path for path in found if path.name.startswith(("libnvrtc.so", "nvrtc64")))
    return ctypes.CDLL(str(library.locate()))
