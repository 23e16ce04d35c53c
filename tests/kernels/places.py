"""Where a kernel can run: one contract, held to by all of them.

A place calls a function of `mien.kernels` with NumPy arrays, which hold what it wrote when it returns.
"""

import ctypes
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import pytest

from mien.kernels import device

KERNELS: Final = Path(device.__file__).parent
SOURCES: Final = sorted(path.stem for path in KERNELS.glob("*.cu"))

Place = Callable[..., None]

GUARD: Final = 256
"""Bytes before and after each array that no kernel may write to."""

FILL: Final = 0x4B
"""What they hold: as a float a finite 13 million, so that reading it shows."""

_WRAPPER: Final = """
SEEN void run_{name}(const unsigned* sizes, void** arguments) {{ run({name}, sizes, arguments); }}
SEEN void describe_{name}(char* text) {{ describe({name}, text); }}
"""


def on_cpu(function: Callable[..., None], *arguments: Any, **settings: Any) -> None:
    """What NumPy arrays get: compiled C++ where there is some, or else the reference."""
    function(*arguments, **settings)


def cuda_on_cpu(function: Callable[..., None], *arguments: Any, **settings: Any) -> None:
    """The way of CuPy arrays, launches and all, with the .cu file compiled for the CPU."""
    guarded = [_Guarded(argument) if isinstance(argument, np.ndarray) else None for argument in arguments]
    inner = [g.array if g else argument for g, argument in zip(guarded, arguments, strict=True)]
    with stand_in_device():
        function(*inner, **settings)
    for g, argument in zip(guarded, arguments, strict=True):
        if g:
            assert g.untouched(), f"{function.__name__} wrote outside of an array"
            argument[...] = g.array


def on_gpu(function: Callable[..., None], *arguments: Any, **settings: Any) -> None:
    """The way of CuPy arrays, on a CUDA device."""
    import cupy

    inner = [
        cupy.asarray(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments
    ]
    function(*inner, **settings)
    for moved, argument in zip(inner, arguments, strict=True):
        if isinstance(argument, np.ndarray):
            argument[...] = cupy.asnumpy(moved)


DEVICES: Final = [
    pytest.param(cuda_on_cpu, id="cuda-on-cpu"),
    pytest.param(on_gpu, id="cuda", marks=pytest.mark.gpu),
]
EVERYWHERE: Final = [pytest.param(on_cpu, id="cpu"), *DEVICES]


class _Guarded:
    """A copy of an array between two stretches of memory that must stay as they are."""

    def __init__(self, array: Any) -> None:
        self._memory = np.full(array.nbytes + 2 * GUARD, FILL, np.uint8)
        self.array = self._memory[GUARD : GUARD + array.nbytes].view(array.dtype).reshape(array.shape)
        self.array[...] = array

    def untouched(self) -> bool:
        return bool((self._memory[:GUARD] == FILL).all() and (self._memory[-GUARD:] == FILL).all())


@contextmanager
def stand_in_device() -> Iterator[set[str]]:
    """Take NumPy arrays for a device's, and .cu files compiled for the CPU; collect which kernels are run."""
    launched: set[str] = set()

    def load(source: str, function: str) -> Callable[..., None]:
        launched.add(function)
        return _load_for_cpu(source, function)

    with patch.multiple(
        device,
        on_device=lambda *arrays: True,
        load_kernel=load,
        allocate=_allocate_on_cpu,
        resident=lambda table: table,
    ):
        yield launched


def _allocate_on_cpu(shape: tuple[int, ...], dtype: type[np.generic]) -> Any:
    memory = np.empty(shape, dtype)
    memory.view(np.uint8)[...] = FILL
    return memory


def _load_for_cpu(source: str, function: str) -> Callable[..., None]:
    library = compile_for_cpu(source)
    text = ctypes.create_string_buffer(256)
    library[f"describe_{function}"](text)
    parameters = text.value.decode()

    def run(grid: tuple[int, ...], block: tuple[int, ...], arguments: tuple[Any, ...]) -> None:
        given = "".join(("*" if isinstance(a, np.ndarray) else "=") + _letter(a.dtype) for a in arguments)
        assert given == parameters, f"{function} takes {parameters}, not {given}"
        values = [_value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        library[f"run_{function}"]((ctypes.c_uint * 6)(*grid, *block), pointers)

    return run


def _value(argument: Any) -> Any:
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return np.ctypeslib.as_ctypes(np.array(argument))


def _letter(dtype: np.dtype[Any]) -> str:
    """The letter the header has for it: `l` is `q` where both have 64 bits."""
    return {"l": "q", "L": "Q"}.get(dtype.char, dtype.char)


@cache
def compile_for_cpu(source: str) -> ctypes.CDLL:
    """Compile a .cu file by the C++ compiler that built the CPU's kernels."""
    path = KERNELS / f"{source}.cu"
    names = re.findall(r"__global__ void (\w+)\(", path.read_text(encoding="utf-8"))
    header = Path(__file__).with_name("cuda_on_cpu.h")
    code = f'#include "{header}"\n#include "{path}"\n' + "".join(_WRAPPER.format(name=name) for name in names)
    flags = ["-O2", "-std=c++17", "-ffp-contract=off", "-fvisibility=hidden", "-shared", "-fPIC", "-x", "c++"]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / f"{source}.so"
        command = [os.environ.get("CXX", "c++"), *flags, "-", "-o", str(library)]
        done = subprocess.run(command, input=code, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return ctypes.CDLL(str(library))
