import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.kernels import device


class StandInArray:
    """What a CuPy array is to `on_device`."""

    def __init__(self, number: int = 0) -> None:
        self.device = number


@pytest.fixture
def stand_in_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = SimpleNamespace(ndarray=StandInArray, cuda=SimpleNamespace(Device=lambda: 0))
    monkeypatch.setitem(sys.modules, "cupy", stand_in)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is launched, and with what."""
    seen: list[tuple[Any, ...]] = []

    def load(source: str, function: str) -> Any:
        return lambda *launched: seen.append((source, function, *launched))

    monkeypatch.setattr(device, "load_kernel", load)
    return seen


def test_numpy_arrays_lie_on_the_host() -> None:
    assert not device.on_device(np.zeros(1), np.zeros(2))


@pytest.mark.usefixtures("stand_in_cupy")
def test_cupy_arrays_lie_on_the_device() -> None:
    assert device.on_device(StandInArray(), StandInArray())


@pytest.mark.usefixtures("stand_in_cupy")
def test_a_mixture_is_refused() -> None:
    with pytest.raises(TypeError, match="move them to one place"):
        device.on_device(np.zeros(1), StandInArray())


@pytest.mark.usefixtures("stand_in_cupy")
def test_arrays_of_another_device_are_refused() -> None:
    with pytest.raises(ValueError, match="an array lies on 1, the current one is 0"):
        device.on_device(StandInArray(0), StandInArray(1))


@pytest.mark.usefixtures("stand_in_cupy")
def test_arrays_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="list is neither a NumPy nor a CuPy array"):
        device.on_device([1.0])


def test_without_cupy_there_are_no_cupy_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(TypeError, match="list is neither a NumPy nor a CuPy array"):
        device.on_device([1.0])


def test_the_grid_covers_every_thread(launches: list[tuple[Any, ...]]) -> None:
    array = np.zeros(3, np.float32)
    device.launch("warp", "kernel", (33, 8, 2), array, 7, 0.5)
    source, function, grid, block, arguments = launches[0]
    assert (source, function, grid, block) == ("warp", "kernel", (2, 1, 2), device.TILE)
    assert arguments[0] is array
    assert [type(argument) for argument in arguments[1:]] == [np.int32, np.float32]


@pytest.mark.parametrize("threads", [(0, 8, 1), (8, 0, 1), (8, 8, 0)])
def test_no_threads_are_no_launch(threads: tuple[int, int, int], launches: list[tuple[Any, ...]]) -> None:
    device.launch("warp", "kernel", threads)
    assert not launches


def test_more_than_a_launch_takes_is_refused(launches: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match="more than one launch takes"):
        device.launch("warp", "kernel", (1, 1, 65536))
    with pytest.raises(OverflowError):
        device.launch("warp", "kernel", (1, 1, 1), 2**31)
    assert not launches
