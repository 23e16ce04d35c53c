"""The compiled kernels: one shared library, built from this folder's .cpp files when mien is installed.

Its functions are called through ctypes, which lets go of the GIL while they run. They are built without
fused multiply-adds and in the references' order of operations, so a kernel and its NumPy reference agree
to the last bit, and the same frame drawn twice is the same frame.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

import numpy as np

COUNT: Final = ctypes.c_int64
SINGLE: Final = ctypes.c_float
DOUBLE: Final = ctypes.c_double


def array_of(dtype: type[np.generic]) -> Any:
    """Return the argument type of a C-contiguous array; anything else is refused with a TypeError."""
    return np.ctypeslib.ndpointer(dtype=dtype, flags="C_CONTIGUOUS")


def native(name: str, *arguments: Any) -> Callable[..., None]:
    """Return the compiled function of that name, which takes `arguments` and returns nothing."""
    function = getattr(_library(), name)
    function.argtypes = arguments
    function.restype = None
    return function  # type: ignore[no-any-return]


def allow_avx2(yes: bool) -> None:
    """Let kernels use AVX2 where the processor has it, as they do by default. The bits are the same."""
    native("allow_avx2", COUNT)(int(yes))


@cache
def _library() -> ctypes.CDLL:
    found = find_spec("mien.kernels._native")
    if found is None or found.origin is None:
        raise ImportError(
            "mien's compiled kernels are missing. Install mien anew, on a machine with a C++ compiler: "
            "pip install --force-reinstall --no-deps ."
        )
    return ctypes.CDLL(found.origin)
