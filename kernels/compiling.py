"""How the CPU kernels are compiled: one place for numba's settings."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a loop for the CPU at its first call, keep it on disk, and let go of the GIL while it runs.

    Strict arithmetic (no fastmath, no fused operations): a kernel and its NumPy reference then agree to
    the last bit, and the same frame drawn twice is the same frame.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, fastmath=False)(function))
