import numpy as np
import pytest

from mien.kernels import ridge


def problem(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    basis = random.normal(size=(12, 30))
    gram = basis @ basis.T + np.eye(12)
    pull = basis @ random.normal(size=30) * 3
    low, high = -random.random(12), random.random(12)
    return gram, pull, low, high, np.zeros(12)


@pytest.mark.parametrize("seed", range(10))
def test_solve_is_its_reference(seed: int) -> None:
    gram, pull, low, high, start = problem(seed)
    solved = ridge.solve_in_box(gram, pull, low, high, start)
    np.testing.assert_allclose(solved, ridge.solve_in_box_reference(gram, pull, low, high, start), atol=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_solution_is_the_minimum_in_the_box(seed: int) -> None:
    gram, pull, low, high, start = problem(seed)
    x = ridge.solve_in_box(gram, pull, low, high, start)
    assert np.all((x >= low) & (x <= high))
    slope = gram @ x - pull
    free = (x > low + 1e-9) & (x < high - 1e-9)
    assert np.abs(slope[free]).max(initial=0) < 0.02
    assert np.all(slope[x <= low + 1e-9] > -0.02)
    assert np.all(slope[x >= high - 1e-9] < 0.02)


def test_start_is_left_as_it_is() -> None:
    gram, pull, low, high, start = problem(0)
    ridge.solve_in_box(gram, pull, low, high, start)
    assert not start.any()
