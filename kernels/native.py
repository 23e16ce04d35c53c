"""The compiled kernels: one shared library, built from this folder's .cpp files when mien is installed.

Its functions are called through ctypes, which lets go of the GIL while they run. They are built without
fused multiply-adds and in the references' order of operations, so a kernel and its NumPy reference agree
to the last bit, and the same frame drawn twice is the same frame.
"""

import ctypes
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, cast

import numpy as np

COUNT: Final = ctypes.c_int64
SINGLE: Final = ctypes.c_float
DOUBLE: Final = ctypes.c_double


@cache
def array_of(dtype: type[np.generic]) -> Any:
    """Return the argument type of a C-contiguous array; anything else is refused with a TypeError.

    NumPy's own ndpointer takes 5 microseconds an array, this takes 2, and a frame passes seventy arrays.
    """
    wanted = np.dtype(dtype)

    class Array(ctypes.c_void_p):
        """An array's address."""

        @classmethod
        def from_param(cls, value: Any) -> Any:
            """Return what passes the address of an array's first element."""
            if not isinstance(value, np.ndarray) or value.dtype != wanted or not value.flags.c_contiguous:
                raise TypeError(f"an argument is not a C-contiguous array of {wanted}")
            if value.flags.writeable and value.size:
                return ctypes.byref(ctypes.c_char.from_buffer(cast(Any, value)))
            return ctypes.c_void_p(value.ctypes.data)

    return Array


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
