from dataclasses import replace

import numpy as np
import pytest
from stand_in_nets import MEAN, PATTERN, STD, LoudnessDenoiser, SmearedDenoiser

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Manner, Style
from mien.engine.errors import ConfigError
from mien.engine.features import log_mel_whole
from mien.engine.motion import CHANNELS
from mien.engine.sampler import (
    ABSENT,
    BRIDGE_FRAMES,
    SAMPLED,
    SHOWN,
    SamplerState,
    bridge_break,
    ddim_step,
    guidance_for,
    sample_window,
    signal_shares,
    start_noise,
    start_sampler,
)

W = 12
NEUTRAL = Style().vector()
HAPPY = Style(Emotion.HAPPY, 3.0).vector()


def features(seed: int = 0) -> np.ndarray:
    return log_mel_whole(np.random.default_rng(seed).normal(0, 0.1, W * 640).astype(np.float32))


def sample(denoiser: LoudnessDenoiser, state: SamplerState | None = None, frames: int = 1, **settings: float):
    config = MotionConfig(**settings)
    state = state or start_sampler(config, seed=1)
    style = HAPPY if settings.get("guidance_scale") else NEUTRAL
    return sample_window(denoiser, features(), style, state, config=config, frames=frames)


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 50])
def test_alphas_rise_from_none_to_all(steps: int) -> None:
    alphas = signal_shares(steps)
    assert len(alphas) == steps + 1
    assert alphas[0] == 0.0
    assert alphas[-1] == 1.0
    assert (np.diff(alphas) > 0).all()


def test_ddim_keeps_a_point_on_its_path() -> None:
    rng = np.random.default_rng(3)
    clean, noise = rng.normal(size=(2, 5, CHANNELS)).astype(np.float32)
    noisy = np.sqrt(0.3) * clean + np.sqrt(0.7) * noise
    moved = ddim_step(noisy.astype(np.float32), clean, 0.3, 0.8)
    np.testing.assert_allclose(moved, np.sqrt(0.8) * clean + np.sqrt(0.2) * noise, atol=1e-6)
    np.testing.assert_array_equal(ddim_step(noisy.astype(np.float32), clean, 0.3, 1.0), clean)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_perfect_denoiser_gives_the_truth_in_any_number_of_steps(steps: int, noise: float) -> None:
    made, state = sample(LoudnessDenoiser(), frames=3, steps=steps, start_noise=noise)
    loudness = features().mean(axis=1).reshape(W, 4).mean(axis=1)[-5:-2]
    truth = loudness[:, None] * PATTERN * STD + MEAN
    np.testing.assert_allclose(made, truth, atol=1e-5)
    assert state.frame == 3


def test_frames_are_flagged_shown_sampled_or_absent() -> None:
    denoiser = LoudnessDenoiser()
    state = start_sampler(MotionConfig(history_frames=4), seed=1)
    seen = []
    for _ in range(6):
        _, state = sample(denoiser, state, history_frames=4)
        seen.append(denoiser.calls[-1]["known"][0])
    assert (seen[0] == [ABSENT] * 9 + [SAMPLED] * 3).all()
    assert (seen[2] == [ABSENT] * 7 + [SHOWN] * 2 + [SAMPLED] * 3).all()
    assert (seen[5] == [ABSENT] * 5 + [SHOWN] * 4 + [SAMPLED] * 3).all()


def test_shown_frames_are_given_clean_and_in_order() -> None:
    denoiser = SmearedDenoiser()
    state = start_sampler(MotionConfig(history_frames=8), seed=1)
    shown = []
    for _ in range(4):
        made, state = sample(denoiser, state, history_frames=8)
        shown.append((made[0] - MEAN) / STD)
    sample(denoiser, state, history_frames=8)
    for call in denoiser.calls[-4:]:
        np.testing.assert_allclose(call["noisy"][0, W - 7 : W - 3], shown, atol=1e-5)
        np.testing.assert_array_equal(call["noisy"][0, : W - 7], 0.0)


def test_guidance_one_is_the_styled_prediction_alone() -> None:
    denoiser = LoudnessDenoiser()
    made, _ = sample(denoiser, guidance_scale=1.0)
    assert {len(call["style_known"]) for call in denoiser.calls} == {1}
    plain, _ = sample(LoudnessDenoiser(), guidance_scale=1e-9)
    np.testing.assert_allclose(made - plain, np.tile(STD, (1, 1)), atol=1e-5)


def test_guidance_grows_with_the_intensity_and_spares_the_neutral_face() -> None:
    scales = [
        guidance_for(Style(Emotion.HAPPY, intensity).vector(), 1.5) for intensity in (0.0, 0.5, 1.0, 3.0)
    ]
    np.testing.assert_allclose(scales, [1.0, 1.25, 1.5, 1.5], atol=1e-6)
    assert guidance_for(Style(manner=Manner(head_movement=1.0)).vector(), 1.5) == 1.0
    assert guidance_for(NEUTRAL, 1.5) == 1.0  # exactly: the second half of the batch is then left out


def test_guidance_is_linear_in_its_scale() -> None:
    denoiser = LoudnessDenoiser()
    once, _ = sample(denoiser, guidance_scale=1.0)
    twice, _ = sample(denoiser, guidance_scale=2.0)
    assert (denoiser.calls[-1]["style_known"] == [1.0, 0.0]).all()
    np.testing.assert_allclose(twice - once, STD[None], atol=1e-5)


def test_noise_belongs_to_the_absolute_frame() -> None:
    np.testing.assert_array_equal(start_noise(7, 10, 5)[2:], start_noise(7, 12, 3))
    assert np.abs(start_noise(7, 10, 1) - start_noise(8, 10, 1)).max() > 0.1


def test_noise_is_of_unit_variance_and_smooth() -> None:
    noise = start_noise(7, 0, 4000)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1.0) < 0.03
    np.testing.assert_allclose(noise[::10].std(), noise[5::10].std(), rtol=0.05)
    assert np.diff(noise, axis=0).std() < 0.2
    assert np.diff(noise, n=2, axis=0).std() < 0.05


def test_the_state_goes_in_and_stays_as_it_was() -> None:
    denoiser = SmearedDenoiser()
    _, state = sample(denoiser)
    before = state.history.copy()
    first, _ = sample(denoiser, state)
    second, after = sample(denoiser, state)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(state.history, before)
    assert after.history.shape == before.shape
    assert np.isfinite(first).all()


@pytest.mark.parametrize("frames", [1, 3])
def test_after_a_break_motion_goes_on_as_it_was_going_and_then_eases_over(frames: int) -> None:
    config = MotionConfig(start_noise=0.0, history_frames=4)
    history = np.outer(np.arange(4), np.ones(CHANNELS)).astype(np.float32)
    moving = SamplerState(history, frame=40, seed=1)
    silent = np.full((4 * W, 64), -1.0, np.float32)
    state, made = bridge_break(moving), []
    while len(made) < 15:
        part, state = sample_window(LoudnessDenoiser(), silent, NEUTRAL, state, config=config, frames=frames)
        made += list((part - MEAN) / STD)
    np.testing.assert_allclose(made[0], 3.8, rtol=1e-4)
    np.testing.assert_allclose(made[BRIDGE_FRAMES], -PATTERN, atol=1e-4)
    steps = np.diff(np.array([*history[-2:], *made[: BRIDGE_FRAMES + 1]]), axis=0)
    assert np.abs(steps).max() < 1.6
    assert np.abs(np.diff(steps, axis=0)).max() < 0.7
    assert state.bridge is None


def test_another_seed_moves_otherwise() -> None:
    denoiser = SmearedDenoiser()
    _, state = sample(denoiser)
    one, _ = sample(denoiser, state)
    other, _ = sample(denoiser, replace(state, seed=99))
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("hop_frames", 0),
        ("look_ahead_frames", 9),
        ("history_frames", 0),
        ("steps", 0),
        ("guidance_scale", -1.0),
        ("guidance_scale", float("nan")),
        ("start_noise", 1.5),
    ],
)
def test_settings_out_of_range_are_named(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"motion.{setting}") as caught:
        MotionConfig(**{setting: value})
    assert caught.value.remedy


def test_a_window_too_short_is_refused() -> None:
    with pytest.raises(ConfigError, match="window of 11"):
        MotionConfig(hop_frames=8).check_window(10)
    MotionConfig(hop_frames=7).check_window(10)
