import numpy as np
import pytest
from numpy.typing import NDArray

from mien.engine.animator import Animator
from mien.engine.motion import CHANNELS, MotionWindow
from mien.engine.timebase import SAMPLES_PER_FRAME


class LevelRenderer:
    """Draws the first channel as the picture's grey level."""

    size = (16, 8)

    def __init__(self) -> None:
        self.closed = 0

    def render(self, motion: NDArray[np.float32], awake: float | None = None) -> NDArray[np.uint8]:
        return np.full((8, 16, 3), round(float(motion[0]) * 255), np.uint8)

    def close(self) -> None:
        self.closed += 1


class MeanPerformer:
    """Shows each frame's mean of the sound in the first channel, two frames late."""

    delay_frames = 2
    mouth_gain = 1.0

    def __init__(self) -> None:
        self._pending = np.empty(0, np.float32)
        self.interruptions = 0

    def push(self, pcm: NDArray[np.float32]) -> MotionWindow:
        self._pending = np.concatenate([self._pending, pcm])
        due = max(len(self._pending) // SAMPLES_PER_FRAME - self.delay_frames, 0)
        motion = np.zeros((due, CHANNELS), np.float32)
        motion[:, 0] = self._pending[: due * SAMPLES_PER_FRAME].reshape(due, SAMPLES_PER_FRAME).mean(axis=1)
        self._pending = self._pending[due * SAMPLES_PER_FRAME :]
        return motion

    def flush(self) -> MotionWindow:
        return self.push(np.zeros(self.delay_frames * SAMPLES_PER_FRAME, np.float32))

    def interrupt(self) -> None:
        self.interruptions += 1

    def set_style(self, style: object) -> None:
        raise NotImplementedError


def steps(levels: list[float]) -> NDArray[np.float32]:
    return np.repeat(np.array(levels, np.float32), SAMPLES_PER_FRAME)


def test_frame_k_shows_the_sound_of_frame_k_however_the_sound_is_cut() -> None:
    levels = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    sound = steps(levels)
    animator = Animator(LevelRenderer(), MeanPerformer())
    frames = []
    for start in range(0, len(sound), 333):
        frames += animator.push(sound[start : start + 333])
    frames += animator.flush()
    assert [frame.index for frame in frames] == list(range(len(levels)))
    assert [round(float(frame.motion[0]), 2) for frame in frames] == levels
    luma = [int(frame.i420[0, 0]) for frame in frames]
    assert luma == sorted(luma)
    assert luma[0] == 16  # black in limited range
    assert luma[-1] == 235


def test_a_frame_is_i420() -> None:
    animator = Animator(LevelRenderer(), MeanPerformer())
    frame = animator.draw(7, np.zeros(CHANNELS, np.float32))
    assert frame.index == 7
    assert frame.i420.shape == (12, 16)
    assert frame.i420.dtype == np.uint8


def test_closing_twice_is_harmless_and_ends_all_use() -> None:
    renderer = LevelRenderer()
    animator = Animator(renderer, MeanPerformer())
    animator.close()
    animator.close()
    assert renderer.closed == 1
    with pytest.raises(ValueError, match="closed"):
        animator.push(steps([0.0]))


def test_interrupt_reaches_the_performer() -> None:
    performer = MeanPerformer()
    Animator(LevelRenderer(), performer).interrupt()
    assert performer.interruptions == 1
