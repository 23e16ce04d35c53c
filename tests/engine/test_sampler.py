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
    SAMPLED_INDEX,
    SamplerState,
    Seam,
    WindowRequest,
    bridge_break,
    ddim_step,
    guidance_for,
    sample_window,
    sample_windows,
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
    np.testing.assert_allclose(made[:, SAMPLED_INDEX], truth[:, SAMPLED_INDEX], atol=1e-5)
    assert not np.delete(made, SAMPLED_INDEX, axis=1).any()
    assert state.frame == 3


def test_the_net_sees_the_frames_shown_and_those_to_be_made_and_no_others() -> None:
    denoiser = LoudnessDenoiser()
    for history_frames, shown in ((4, [1.0] * 4), (0, []), (64, [1.0] * (W - 3))):
        sample(denoiser, history_frames=history_frames)
        call = denoiser.calls[-1]
        np.testing.assert_array_equal(call["shown"][0], [*shown, 0.0, 0.0, 0.0])
        assert call["noisy"].shape == (1, len(shown) + 3, CHANNELS)
        assert call["tokens"].shape[:2] == (1, len(shown) + 3)


def test_a_stream_starts_from_the_photo_and_is_shown_what_it_made() -> None:
    denoiser = SmearedDenoiser()
    state = start_sampler(MotionConfig(history_frames=4), seed=1)
    shown = [np.zeros(CHANNELS)] * 4
    for _ in range(6):
        made, state = sample(denoiser, state, history_frames=4)
        given = (np.array(shown[-4:]) - MEAN) / STD
        np.testing.assert_allclose(denoiser.calls[-1]["noisy"][0, :4], given, atol=1e-5)
        shown.append(made[0])


def test_streams_made_together_are_as_made_alone() -> None:
    config = MotionConfig(history_frames=2)
    requests = []
    for seed, style in ((1, NEUTRAL), (2, HAPPY), (3, Style(Emotion.SAD, 1.0).vector())):
        state = start_sampler(config, seed)
        _, state = sample_window(SmearedDenoiser(), features(9), style, state, config=config, frames=3)
        requests.append(WindowRequest(features(seed), style, state))
    together = sample_windows(SmearedDenoiser(), requests, config=config, frames=2)
    for request, (made, state) in zip(requests, together, strict=True):
        ((alone, after),) = sample_windows(SmearedDenoiser(), [request], config=config, frames=2)
        np.testing.assert_allclose(made, alone, atol=1e-6)
        np.testing.assert_allclose(state.history, after.history, atol=1e-6)
        assert (state.frame, state.seed) == (after.frame, after.seed) == (5, request.state.seed)


def test_guidance_one_is_the_styled_prediction_alone() -> None:
    denoiser = LoudnessDenoiser()
    made, _ = sample(denoiser, guidance_scale=1.0)
    assert {len(call["style_known"]) for call in denoiser.calls} == {1}
    plain, _ = sample(LoudnessDenoiser(), guidance_scale=1e-9)
    np.testing.assert_allclose((made - plain)[0, SAMPLED_INDEX], STD[SAMPLED_INDEX], atol=1e-5)


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
    np.testing.assert_allclose((twice - once)[0, SAMPLED_INDEX], STD[SAMPLED_INDEX], atol=1e-5)


def test_noise_belongs_to_the_absolute_frame() -> None:
    np.testing.assert_array_equal(start_noise(7, 10, 5)[2:], start_noise(7, 12, 3))
    assert np.abs(start_noise(7, 10, 1) - start_noise(8, 10, 1)).max() > 0.1


def test_noise_is_of_unit_variance_and_smooth() -> None:
    noise = start_noise(7, 0, 4000)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1.0) < 0.03
    np.testing.assert_allclose(noise[::10].std(), noise[5::10].std(), rtol=0.05)
    assert np.diff(noise, axis=0).std() < 0.4
    assert np.diff(noise, n=2, axis=0).std() < 0.25


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
    moving = SamplerState(history, frame=40, seed=1, seam=Seam.closed())
    silent = np.full((4 * W, 64), -1.0, np.float32)
    state, made = bridge_break(moving), []
    while len(made) < 45:
        part, state = sample_window(LoudnessDenoiser(), silent, NEUTRAL, state, config=config, frames=frames)
        made += list(part[:, SAMPLED_INDEX])
    np.testing.assert_allclose(made[0], 3.8, rtol=1e-4)
    silence = (MEAN - PATTERN * STD)[SAMPLED_INDEX]
    np.testing.assert_allclose(made[1], 3.8 + 0.64, rtol=1e-4)
    np.testing.assert_allclose(made[-1], silence, atol=0.02)
    steps = np.diff(np.array([*history[-2:, SAMPLED_INDEX], *made]), axis=0)
    assert np.abs(steps).max() < 1.1
    assert np.abs(np.diff(steps, axis=0)).max() < 0.7


@pytest.mark.parametrize("look_ahead", [0, 2])
def test_windows_of_several_frames_join_without_a_step(look_ahead: int) -> None:
    config = MotionConfig(start_noise=0.0, look_ahead_frames=look_ahead)
    state, made = start_sampler(config, seed=1), []
    for level in (0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5):  # each window hears another level throughout
        sound = np.full((4 * W, 64), level, np.float32)
        part, state = sample_window(LoudnessDenoiser(), sound, NEUTRAL, state, config=config, frames=4)
        made += list(part[:, SAMPLED_INDEX])
    steps = np.abs(np.diff(made[4:], axis=0))
    jump = np.abs(0.5 * PATTERN * STD)[SAMPLED_INDEX]
    assert (steps.max(axis=0) < 0.16 * jump + 1e-6).all()
    np.testing.assert_allclose(made[-1], (MEAN + 0.5 * PATTERN * STD)[SAMPLED_INDEX], atol=0.01)


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
        ("history_frames", -1),
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
