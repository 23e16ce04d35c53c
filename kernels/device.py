"""Where arrays lie, and how a .cu file beside its .py runs on a CUDA device.

A function of this package that has a .cu file takes NumPy arrays, or CuPy arrays on the current device.
On the device its kernels go to CuPy's current stream and nothing waits for them. NVRTC compiles a file at
its first launch; CuPy keeps the result on disk.

Fused multiply-adds are off, as they are in the CPU's kernels: a picture drawn on a device equals, bit for
bit, what the references draw.
"""

import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

COMPILE_OPTIONS: Final = ("--std=c++17", "--fmad=false")
"""What NVRTC is told, besides the architecture."""

TILE: Final = (32, 8, 1)
"""Threads in a block, along x, y and z: a warp writes one stretch of a row."""

ROW: Final = (128, 1, 1)
"""Threads in a block of a kernel that knows no rows."""

_MOST_BLOCKS: Final = (2**31 - 1, 65535, 65535)
"""CUDA's limits on a grid."""

_resident: Final[dict[tuple[int, int], tuple[NDArray[Any], Any]]] = {}
"""Tables and their copies, by the table's identity and the device's number."""


def on_device(*arrays: Any) -> bool:
    """Return False for NumPy arrays, True for CuPy arrays on the current device, and refuse a mixture."""
    on_host = [isinstance(array, np.ndarray) for array in arrays]
    if all(on_host):
        return False
    if any(on_host):
        raise TypeError("some arrays are NumPy's and some are not: move them to one place")
    cupy: Any = sys.modules.get("cupy")
    for array in arrays:
        if cupy is None or not isinstance(array, cupy.ndarray):
            raise TypeError(f"{type(array).__name__} is neither a NumPy nor a CuPy array")
    current = cupy.cuda.Device()
    for array in arrays:
        if array.device != current:
            raise ValueError(f"an array lies on {array.device}, the current one is {current}")
    return True


def require(name: str, array: Any, dtype: type[np.generic], *shape: int) -> None:
    """Raise a ValueError unless the array is C-contiguous and of that type and shape."""
    wanted, found = np.dtype(dtype), array.dtype
    if found != wanted or array.shape != shape:
        raise ValueError(f"{name} is {found}{list(array.shape)}, not {wanted}{list(shape)}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} is not C-contiguous")


def sides(name: str, array: Any) -> tuple[int, int]:
    """Return height and width, or raise a ValueError where there are not two axes."""
    if array.ndim != 2:
        raise ValueError(f"{name} has {array.ndim} axes, not 2")
    height, width = array.shape
    return height, width


def require_inside(
    what: str, layer: tuple[int, int], where: str, whole: tuple[int, int], left: int, top: int
) -> None:
    """Raise a ValueError unless a layer, (rows, columns), placed at left and top lies inside the whole."""
    rows, columns = layer
    height, width = whole
    if not (0 <= left <= width - columns and 0 <= top <= height - rows):
        raise ValueError(
            f"{what} of {rows} x {columns} pixels at left {left}, top {top} does not lie inside "
            f"{where} of {height} x {width}"
        )


def launch(
    source: str,
    function: str,
    threads: tuple[int, int, int],
    *arguments: Any,
    block: tuple[int, int, int] = TILE,
) -> None:
    """Run a kernel of `source`.cu with at least `threads` threads along x, y and z; none if one of them is 0.

    Whole numbers are passed as 32-bit int, other numbers as float.
    """
    if 0 in threads:
        return
    grid = tuple(-(-count // side) for count, side in zip(threads, block, strict=True))
    if any(count > most for count, most in zip(grid, _MOST_BLOCKS, strict=True)):
        raise ValueError(f"{threads} threads are more than one launch takes")
    load_kernel(source, function)(grid, block, tuple(_scalar(argument) for argument in arguments))


def allocate(shape: tuple[int, ...], dtype: type[np.generic]) -> Any:
    """Return memory for the time of a few launches, with anything in it, from CuPy's pool.

    The pool gives it again to later work on the same stream only, so it may go before the launches are done.
    """
    import cupy

    return cupy.empty(shape, dtype)


def resident(table: NDArray[Any]) -> Any:
    """Return the copy of a constant table on the current device, made once and kept."""
    import cupy

    key = id(table), cupy.cuda.Device().id
    if key not in _resident:
        _resident[key] = table, cupy.asarray(table)
    return _resident[key][1]


def load_kernel(source: str, function: str) -> Any:
    """Return a kernel of `source`.cu, to be called with grid, block and arguments."""
    return _module(source).get_function(function)


@cache
def _module(source: str) -> Any:
    import cupy

    code = Path(__file__).with_name(f"{source}.cu").read_text(encoding="utf-8")
    return cupy.RawModule(code=code, options=COMPILE_OPTIONS)


def _scalar(argument: Any) -> Any:
    if isinstance(argument, int):
        return np.int32(argument)
    if isinstance(argument, float):
        return np.float32(argument)
    return argument
