"""Train the diffusion sampler: an encoder of speech and a denoiser of brows, cheeks, nose, eyes and head.

Each example is a window of motion: GRID's filmed brows and head, or gestures as lively as those
(tools/expression.py), and a style's face as one person shows it. The last frames are noised, and the net
predicts them clean (x0 target); in half of the examples it also sees frames already shown.

What was shown must not say what comes: a net that can read the expression off its own last frame learns to
go on with it and forgets the style, the more surely the longer it trains. So most of the histories come from
another style, and the right answer then returns from there with a time constant of RETURN_FRAMES. The noise
is as smooth as the engine's (mien.engine.sampler): a net trained on white noise would take that for motion
and move too far. The style is withheld in some examples, for classifier-free guidance (Ho and Salimans 2022).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from build_motion_data import DOMAINS
from expression import Person, draw_style, gesture_factor, gesture_with_voice, show_style
from lip_gap import FACE_CHANNELS
from motion_nets import BINS, CHANNELS, ROWS, STYLES, WINDOW, Denoiser, MotionEncoder
from torch import Tensor, nn
from training import Floats, MotionData, blur_level, motion_errors, train

from mien.engine.chance import spline_weights
from mien.engine.features import SILENCE
from mien.engine.motion import CHANNEL_NAMES, INDEX
from mien.engine.sampler import NOISE_KNOTS, SAMPLED_INDEX, signal_shares

SHARES: Final = {"grid": 0.35, "kokoro": 0.37, "aligned": 0.13, "noise": 0.15}
SOUNDS: Final = 12
BATCH: Final = 6 * SOUNDS
"""Each sound is used with six styles: the encoder is the dearer half, and its tokens serve all six."""

LEARNING_RATE: Final = 6e-4
STYLE_WITHHELD: Final = 0.15
WITHHELD_WEIGHT: Final = 0.03
"""Weight of examples without their style: whole faces then count as errors, which dwarf all that moves."""


RETURN_FRAMES: Final = 5.0
"""Time constant of the way back from another style's face: 200 ms."""

STRAYED_SHARE: Final = 0.6
"""Share of histories that come from another style."""

UNUSED_WEIGHT: Final = 0.02
"""Weight of the channels that others own (mouth, lids, gaze): they are to stay at zero, and little else."""

SMALLEST_STD: Final = np.where([name.startswith("head") for name in CHANNEL_NAMES], 0.003, 0.04).astype(
    np.float32
)

LIVE_STEPS: Final = 4
WHITE_NOISE: Final = 0.2
"""Deviation of the noise's white part: without it, what moves quickly could be read off the noised motion."""


class Sampler(nn.Module):
    """Encoder and denoiser, trained together."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.denoiser = Denoiser()
        self.register_buffer("mean", torch.zeros(CHANNELS))
        self.register_buffer("std", torch.ones(CHANNELS))


@dataclass(frozen=True, slots=True)
class Windows:
    """B examples: speech, motion, what histories from another style add to it, and the style."""

    features: Tensor
    """float32[SOUNDS, 4 W, 64]; sound k is heard by examples k, SOUNDS + k, 2 SOUNDS + k and so on."""

    motion: Tensor
    """float32[B, W, 60] in its own units; zero beside SAMPLED_INDEX."""

    strayed: Tensor
    """float32[B, W, 60]: the way back from another style, zero for an example that was always in its own."""

    style: Tensor


def draw_gestures(data: MotionData, seed: int) -> Floats:
    """Invent, once, what head and brows do in every clip, float32[frames, sampled]; GRID's are filmed."""
    gestures = np.zeros((len(data.mouth), len(SAMPLED_INDEX)), np.float32)
    filmed_head = [INDEX[f"head{axis}"] for axis in ("Pitch", "Yaw", "Roll", "X", "Y", "Z")]
    for clip, (start, frames) in enumerate(zip(data.start, data.frames, strict=True)):
        taken = slice(start, start + frames)
        rng = np.random.default_rng([seed, 7, clip])
        whole = gesture_with_voice(rng, data.effort[taken], data.rest[taken])
        if DOMAINS[data.domain[clip]] == "grid":
            whole[:, filmed_head] = 0.0
            whole[:, FACE_CHANNELS] += smooth(np.nan_to_num(data.face[taken]))
        gestures[taken] = whole[:, SAMPLED_INDEX]
    return gestures


def smooth(track: Floats) -> Floats:
    """Take off the landmark model's tremble: a quarter of each neighbour, float32[frames, channels]."""
    padded = np.pad(track, ((1, 1), (0, 0)), mode="edge")
    return 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]


def draw_windows(rng: np.random.Generator, data: MotionData, gestures: Floats, *, unknown: int) -> Windows:
    """Draw B examples whose last `unknown` frames are to be made."""
    features = np.full((SOUNDS, ROWS * WINDOW, BINS), SILENCE, np.float32)
    motion = np.zeros((BATCH, WINDOW, CHANNELS), np.float32)
    strayed = np.zeros((BATCH, WINDOW, CHANNELS), np.float32)
    style = np.zeros((BATCH, STYLES), np.float32)
    for sound, domain in enumerate(rng.choice(list(SHARES), SOUNDS, p=list(SHARES.values()))):
        first, frames, before = data.draw_window(rng, domain)
        taken, window = slice(first, first + frames), slice(before, before + frames)
        heard = data.features[ROWS * first : ROWS * (first + frames)].astype(np.float32)
        features[sound, ROWS * before : ROWS * (before + frames)] = blur_level(rng, heard)
        effort = np.zeros(WINDOW, np.float32)
        effort[window] = data.effort[taken]
        for place in range(sound, BATCH, SOUNDS):
            style[place], person = draw_style(rng, neutral=0.25), Person.draw(rng)
            whole = person.show(rng, style[place], effort)
            whole[window, SAMPLED_INDEX] += gesture_factor(style[place])[SAMPLED_INDEX] * gestures[taken]
            motion[place][:, SAMPLED_INDEX] = whole[:, SAMPLED_INDEX]
            if rng.random() < STRAYED_SHARE:
                detour = draw_detour(rng, style[place], person)[SAMPLED_INDEX]
                left = way_back(WINDOW - unknown - int(rng.integers(0, 12)))
                strayed[place][:, SAMPLED_INDEX] = left[:, None] * detour
    return Windows(*(torch.from_numpy(array) for array in (features, motion, strayed, style)))


def draw_detour(rng: np.random.Generator, style: Floats, person: Person) -> Floats:
    """Draw how far another style's face is from this one's, float32[60], and a little of anything."""
    away = person.strengths * (show_style(draw_style(rng, neutral=0.4)) - show_style(style))
    apart: Floats = rng.uniform(0, 1.2) * away + rng.normal(0, 0.03, CHANNELS) * (rng.random() < 0.5)
    return apart.astype(np.float32)


def way_back(change: int) -> Floats:
    """Return the share of an old expression left in each frame of a window whose style changes at one."""
    return np.exp(-np.maximum(np.arange(WINDOW) - change + 1, 0) / RETURN_FRAMES).astype(np.float32)


def draw_lengths(rng: np.random.Generator) -> tuple[int, int]:
    """Draw how many frames are shown and how many are to be made, as streams have them."""
    longest = WINDOW if rng.random() < 0.1 else 10
    unknown = 3 if rng.random() < 0.5 else int(rng.integers(1, longest + 1))
    draw = rng.random()
    shown = 0 if draw < 0.5 else 1 if draw < 0.9 else int(rng.integers(2, 17))
    return min(shown, WINDOW - unknown), unknown


def draw_noise(rng: np.random.Generator, frames: int) -> Tensor:
    """Return noise as the engine starts from, and a little white: float32[B, frames, 60], variance 1."""
    noise = WHITE_NOISE * torch.randn(BATCH, frames, CHANNELS)
    for period, share in NOISE_KNOTS:
        weights = spline_weights(np.arange(frames) / period + rng.random())
        knots = torch.randn(BATCH, weights.shape[1], CHANNELS)
        noise += ((1 - WHITE_NOISE**2) * share) ** 0.5 * (torch.from_numpy(weights).float() @ knots)
    return noise


def draw_alpha() -> Tensor:
    """Draw shares of signal: half of them those that a live stream steps through, float32[B]."""
    stepped = torch.tensor(signal_shares(LIVE_STEPS)[:-1], dtype=torch.float32)
    live = stepped[torch.randint(0, LIVE_STEPS, (BATCH,))]
    free = torch.cos(torch.rand(BATCH).clamp(min=0.03) * (torch.pi / 2)).square()
    return torch.where(torch.rand(BATCH) < 0.5, live, free)


def sampler_loss(
    rng: np.random.Generator, net: Sampler, data: MotionData, gestures: Floats
) -> tuple[Tensor, list[float]]:
    """Return the loss of one batch, and its errors of position, velocity and acceleration."""
    given, unknown = draw_lengths(rng)
    frames = given + unknown
    drawn = draw_windows(rng, data, gestures, unknown=unknown)
    clean = ((drawn.motion - net.mean) / net.std)[:, WINDOW - frames :]
    strayed = (drawn.strayed / net.std)[:, WINDOW - frames :] * float(given > 0)
    clean = clean + strayed
    alpha = draw_alpha()
    strength = 0.3 + 0.7 * torch.rand(BATCH, 1, 1)
    signal, noise = alpha.sqrt()[:, None, None], (1 - alpha).clamp(min=0).sqrt()[:, None, None]
    noisy = signal * clean + noise * strength * draw_noise(rng, frames)
    wrong = 0.1 * torch.rand(BATCH, 1, 1) * torch.randn(BATCH, given, CHANNELS)
    noisy[:, :given] = clean[:, :given] + wrong
    shown = torch.zeros(BATCH, frames)
    shown[:, :given] = 1.0
    style_known = (torch.rand(BATCH) >= STYLE_WITHHELD).float()
    with torch.autocast("cpu", torch.bfloat16):
        tokens = net.encoder(drawn.features)[:, WINDOW - frames :].repeat(BATCH // SOUNDS, 1, 1)
        made = net.denoiser(noisy, shown, tokens, drawn.style, style_known, alpha)
    made = made.float()
    weight = torch.full((BATCH, frames, CHANNELS), UNUSED_WEIGHT)
    weight[..., SAMPLED_INDEX] = 1.0
    sure = torch.where(style_known > 0, 1 / (1 + strayed.square().mean(dim=(1, 2))), WITHHELD_WEIGHT)
    weight *= sure[:, None, None]
    made = torch.cat([clean[:, :given], made[:, given:]], dim=1)
    weight[:, : max(given - 2, 0)] = 0.0
    position, _, _ = motion_errors(made[:, given:], clean[:, given:], weight[:, given:])
    _, velocity, acceleration = motion_errors(made, clean, weight)
    return position + velocity + 0.5 * acceleration, [position.item(), velocity.item(), acceleration.item()]


def measure(data: MotionData, gestures: Floats, seed: int) -> tuple[Tensor, Tensor]:
    """Return each channel's mean, and its deviation from its style's own face, over training's examples."""
    rng = np.random.default_rng([seed, 99])
    drawn = [draw_windows(rng, data, gestures, unknown=WINDOW) for _ in range(30)]
    motion = torch.cat([windows.motion for windows in drawn])
    faces = [show_style(style) for windows in drawn for style in windows.style.numpy()]
    left = motion - torch.from_numpy(np.stack(faces))[:, None]
    return motion.mean(dim=(0, 1)), left.std(dim=(0, 1)).maximum(torch.from_numpy(SMALLEST_STD))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write, and to go on from")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    data = MotionData.read(arguments.data)
    gestures = draw_gestures(data, arguments.seed)
    net, average = Sampler(), Sampler()
    mean, std = measure(data, gestures, arguments.seed)
    for sampler in (net, average):
        sampler.mean.copy_(mean)
        sampler.std.copy_(std)
    train(
        net,
        average,
        lambda rng: sampler_loss(rng, net, data, gestures),
        out=arguments.out,
        steps=arguments.steps,
        seed=arguments.seed,
        learning_rate=LEARNING_RATE,
    )


if __name__ == "__main__":
    main()
