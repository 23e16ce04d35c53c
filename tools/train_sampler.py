"""Train the diffusion sampler: an encoder of speech and a denoiser of motion over all 60 channels.

Each example is a window of motion: the mouth of the data; GRID's filmed brows and head, and gestures that
go with the voice (tools/expression.py); a style's face as one person shows it, sometimes changing half-way.
Some of its frames are given as already shown, slightly wrong as a stream's own history is, or absent; the
rest are noised, and the net predicts them clean (x0 target). The style is withheld in some examples, for
classifier-free guidance (Ho and Salimans 2022). The closing of the lips is the head model's: wanted gap to
mouthClose.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from build_motion_data import DOMAINS
from expression import Person, draw_style, gesture_with_voice, liveliness
from lip_gap import FACE_CHANNELS, FACE_GAP, MOUTH_CHANNELS, close_lips, feel
from motion_nets import BINS, CHANNELS, ROWS, STYLES, WINDOW, Denoiser, MotionEncoder
from torch import Tensor, nn
from training import Floats, MotionData, blur_level, motion_errors, train

from mien.engine.features import SILENCE

SHARES: Final = {"grid": 0.35, "kokoro": 0.37, "aligned": 0.13, "noise": 0.15}
BATCH: Final = 48
LEARNING_RATE: Final = 6e-4
HISTORY: Final = 16
STYLE_WITHHELD: Final = 0.15
MOUTH_WEIGHT: Final = 0.3
"""The lip refiner replaces the sampler's mouth, which only serves as company for the rest."""


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
    """B examples: speech, motion in its own units, how much each value counts, style."""

    features: Tensor
    motion: Tensor
    weight: Tensor
    style: Tensor


def draw_gestures(data: MotionData, seed: int) -> Floats:
    """Invent, once, what head and brows do in every clip, float32[frames, 60]."""
    gestures = np.zeros((len(data.mouth), CHANNELS), np.float32)
    for clip, (start, frames) in enumerate(zip(data.start, data.frames, strict=True)):
        taken = slice(start, start + frames)
        rng = np.random.default_rng([seed, 7, clip])
        gestures[taken] = gesture_with_voice(rng, data.effort[taken], data.rest[taken])
        if DOMAINS[data.domain[clip]] == "grid":
            filmed = np.nan_to_num(data.face[taken])
            gestures[taken] *= 0.6
            gestures[taken][:, FACE_CHANNELS] += filmed
    return gestures


def draw_windows(rng: np.random.Generator, data: MotionData, gestures: Floats) -> Windows:
    """Draw B examples."""
    features = np.full((BATCH, ROWS * WINDOW, BINS), SILENCE, np.float32)
    motion = np.zeros((BATCH, WINDOW, CHANNELS), np.float32)
    weight = np.zeros((BATCH, WINDOW, CHANNELS), np.float32)
    style = np.zeros((BATCH, STYLES), np.float32)
    for place, domain in enumerate(rng.choice(list(SHARES), BATCH, p=list(SHARES.values()))):
        first, frames, before = data.draw_window(rng, domain)
        taken, window = slice(first, first + frames), slice(before, before + frames)
        heard = data.features[ROWS * first : ROWS * (first + frames)].astype(np.float32)
        features[place, ROWS * before : ROWS * (before + frames)] = blur_level(rng, heard)
        effort, said = np.zeros(WINDOW, np.float32), np.zeros((WINDOW, len(MOUTH_CHANNELS)), np.float32)
        effort[window], said[window] = data.effort[taken], data.mouth[taken]
        earlier, later = draw_style(rng, neutral=0.25), draw_style(rng, neutral=0.25)
        change = glide(rng) if rng.random() < 0.2 else np.ones(WINDOW, np.float32)
        style[place] = earlier + change[-1] * (later - earlier)

        person, drift = Person.draw(rng), int(rng.integers(2**32))
        before_change = person.show(np.random.default_rng(drift), earlier, effort)
        after_change = person.show(np.random.default_rng(drift), later, effort)
        whole = before_change + change[:, None] * (after_change - before_change)
        whole[window] += liveliness(style[place]) * gestures[taken]
        mouth = feel(said, style[place], effort)
        whole[:, MOUTH_CHANNELS] = close_lips(mouth, whole[:, FACE_CHANNELS] @ FACE_GAP)
        motion[place] = whole
        weight[place, : before + frames] = 1.0
        weight[place][:, MOUTH_CHANNELS] *= MOUTH_WEIGHT
    return Windows(*(torch.from_numpy(array) for array in (features, motion, weight, style)))


def glide(rng: np.random.Generator) -> Floats:
    """Return how far a change of style has come in each frame: 0 to 1 over 8 frames, from some moment on."""
    moment = rng.integers(-4, WINDOW)
    return np.clip((np.arange(WINDOW) - moment) / 8, 0, 1).astype(np.float32)


def draw_known(rng: np.random.Generator) -> Floats:
    """Return frames shown (1), to be sampled (0) and absent (-1), float32[B, W], as streams have them."""
    known = np.full((BATCH, WINDOW), -1.0, np.float32)
    for row in known:
        draw = rng.random()
        if draw < 0.4:
            unknown = 3
        elif draw < 0.7:
            unknown = int(rng.integers(1, 8))
        else:
            unknown = int(rng.integers(3, WINDOW + 1)) if draw < 0.9 else WINDOW
        draw = rng.random()
        given = HISTORY if draw < 0.55 else int(rng.integers(0, HISTORY + 1)) if draw < 0.85 else 0
        given = min(given, WINDOW - unknown)
        row[WINDOW - unknown - given :] = 1.0
        row[WINDOW - unknown :] = 0.0
    return known


def sampler_loss(
    rng: np.random.Generator, net: Sampler, data: MotionData, gestures: Floats
) -> tuple[Tensor, list[float]]:
    """Return the loss of one batch, and its errors of position, velocity and acceleration."""
    drawn = draw_windows(rng, data, gestures)
    clean = (drawn.motion - net.mean) / net.std
    known = torch.from_numpy(draw_known(rng))
    time = torch.where(torch.rand(BATCH) < 0.3, torch.ones(BATCH), torch.rand(BATCH).clamp(min=0.03))
    alpha = torch.cos(time * (torch.pi / 2)).square()
    strength = 0.2 + 0.8 * torch.rand(BATCH, 1, 1)
    signal, noise = alpha.sqrt()[:, None, None], (1 - alpha).clamp(min=0).sqrt()[:, None, None]
    noised = signal * clean + noise * strength * torch.randn_like(clean)
    wrong = torch.randn_like(clean) * 0.15 * torch.rand(BATCH, 1, 1)
    wrong = wrong + torch.randn(BATCH, 1, CHANNELS) * 0.2 * torch.rand(BATCH, 1, 1)
    noisy = torch.where((known == 0)[..., None], noised, clean + wrong)
    noisy = torch.where((known < 0)[..., None], torch.zeros_like(noisy), noisy)
    style_known = (torch.rand(BATCH) >= STYLE_WITHHELD).float()
    with torch.autocast("cpu", torch.bfloat16):
        tokens = net.encoder(drawn.features)
        made = net.denoiser(noisy, known, tokens, drawn.style, style_known, alpha)
    made = made.float()
    sampled = (known == 0).float()[..., None]
    seam = torch.zeros_like(sampled)
    seam[:, :-1] = sampled[:, 1:]
    joined = torch.where(sampled.bool(), made, clean)
    counted = drawn.weight * torch.maximum(sampled, seam * (known == 1).float()[..., None])
    position, _, _ = motion_errors(made, clean, drawn.weight * sampled)
    _, velocity, acceleration = motion_errors(joined, clean, counted)
    return position + velocity + 0.5 * acceleration, [position.item(), velocity.item(), acceleration.item()]


def measure(data: MotionData, gestures: Floats, seed: int) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel over what training will see."""
    rng = np.random.default_rng([seed, 99])
    motion = torch.cat([draw_windows(rng, data, gestures).motion.flatten(0, 1) for _ in range(30)])
    return motion.mean(dim=0), motion.std(dim=0).clamp(min=0.01)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write, and to go on from")
    parser.add_argument(
        "--steps", type=int, default=2200, help="more made it follow its history, not the style"
    )
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
