"""The expert's curve over shifts, with an expert that is told the answer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
for needed in ("scipy", "soundfile"):
    pytest.importorskip(needed)

import sync_expert  # noqa: E402

from mien.engine.features import BINS, ROWS_PER_FRAME  # noqa: E402


class KnowingExpert:
    """Sees three numbers in every frame's mouth, and hears the same three in its sound."""

    def hear(self, sound: "torch.Tensor") -> "torch.Tensor":
        return self._unit(sound[::ROWS_PER_FRAME, :3])

    def see(self, mouth: "torch.Tensor") -> "torch.Tensor":
        return self._unit(mouth)

    @staticmethod
    def _unit(code: "torch.Tensor") -> "torch.Tensor":
        return torch.nn.functional.normalize(code[: len(code) - sync_expert.SPAN + 1], dim=-1)


@pytest.mark.parametrize("late", [-3, 0, 2])
def test_a_mouth_that_comes_late_peaks_where_the_sound_is_moved_later(late: int) -> None:
    code = np.random.default_rng(0).standard_normal((90, 3)).astype(np.float32)
    sound = np.zeros((90 * ROWS_PER_FRAME, BINS), np.float32)
    sound[:, :3] = code.repeat(ROWS_PER_FRAME, axis=0)
    pairs = [sync_expert.Pair(sound, np.roll(code, late, axis=0))]
    row = sync_expert.judge(KnowingExpert(), pairs)
    curve = row["cosine_by_shift"]
    assert sync_expert.SHIFTS[int(np.argmax(curve))] == late
    assert row["clips_that_peak_at_zero"].value == (late == 0)


def test_an_expert_learns_to_place_a_mouth_that_follows_its_sound() -> None:
    rng = np.random.default_rng(1)
    pairs = []
    for _ in range(4):
        opening = np.convolve(rng.random(120), np.ones(3) / 3, "same").astype(np.float32)
        sound = np.repeat(opening, ROWS_PER_FRAME)[:, None] * np.linspace(0, 2, BINS, dtype=np.float32)
        pairs.append(sync_expert.Pair(sound, np.stack([opening, opening**2, 1 - opening], axis=1)))
    expert = sync_expert.train(pairs, seed=0, steps=60)
    assert int(np.argmax(sync_expert.judge(expert, pairs)["cosine_by_shift"])) == sync_expert.SHIFTS.index(0)
