"""Train the lip refiner: features and style -> the mouth, with the wanted lip gap in mouthClose's place.

Regression to the articulation, with losses on velocity and acceleration so that it moves as mouths do, and
more weight on closures; beside it the viseme of each frame, so that what is learned is what is said and not
by whom. Every window is heard as through another vocal tract, microphone and noise. Emotion is added on the
fly: the mouth's part of a style's face, and a jaw that opens further or less; the lips still close in every
mood. Runs on one thread, keeps its state every few minutes and goes on from it.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from augmentation import vary
from build_motion_data import DOMAINS, GAP, MOUTH_PLACE
from expression import draw_style
from lip_gap import feel
from motion_nets import BINS, MOUTH, ROWS, STYLES, WINDOW, LipRefiner
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from training import Floats, MotionData, blur_level, motion_errors, train

from mien.engine.features import SILENCE

JAW: Final = MOUTH_PLACE["jawOpen"]
SHARES: Final = {"grid": 0.42, "kokoro": 0.4, "aligned": 0.1, "noise": 0.08}
BATCH: Final = 48
VISEME_WEIGHT: Final = 0.1


@dataclass(frozen=True, slots=True)
class Windows:
    """B examples for the lip refiner."""

    features: Tensor
    style: Tensor
    mouth: Tensor
    weight: Tensor
    """float32[B, W, 28]: 0 where a channel is unknown."""

    viseme: Tensor
    """int64[B, W]: what is said, -1 unknown."""


def weigh(mouth: Floats, closed: Floats, valid: NDArray[np.bool_]) -> Floats:
    """Return how much each value counts: the jaw and the gap more, the gap in closures most."""
    weight = np.tile(valid.astype(np.float32), (len(mouth), 1))
    weight[:, JAW] *= 2
    weight[:, GAP] *= 2 + 9 * closed
    return weight


def draw_windows(rng: np.random.Generator, data: MotionData) -> Windows:
    """Draw B examples."""
    features = np.full((BATCH, ROWS * WINDOW, BINS), SILENCE, np.float32)
    mouth = np.zeros((BATCH, WINDOW, MOUTH), np.float32)
    style = np.zeros((BATCH, STYLES), np.float32)
    weight = np.zeros((BATCH, WINDOW, MOUTH), np.float32)
    viseme = np.full((BATCH, WINDOW), -1, np.int64)
    for place, domain in enumerate(rng.choice(list(SHARES), BATCH, p=list(SHARES.values()))):
        first, frames, before = data.draw_window(rng, domain)
        taken, window = slice(first, first + frames), slice(before, before + frames)
        heard = data.features[ROWS * first : ROWS * (first + frames)].astype(np.float32)
        features[place, ROWS * before : ROWS * (before + frames)] = blur_level(rng, vary(rng, heard))
        said, closed, effort = (np.zeros((WINDOW, *size), np.float32) for size in ((MOUTH,), (), ()))
        said[window], closed[window], effort[window] = (
            data.mouth[taken],
            data.closed[taken],
            data.effort[taken],
        )
        viseme[place, window] = data.viseme[taken]
        said[:before, GAP] = min(0.0, float(data.mouth[first, GAP]))
        style[place] = draw_style(rng, neutral=0.5)
        mouth[place] = feel(said, style[place], effort)
        weight[place] = weigh(said, closed, data.valid[DOMAINS.index(domain)])
        weight[place, :before] *= float(data.mouth[first, JAW] < 0.05)
        weight[place, before + frames :] = 0
    return Windows(*(torch.from_numpy(array) for array in (features, style, mouth, weight, viseme)))


def channel_scale(data: MotionData) -> Tensor:
    """Return each mouth channel's standard deviation in speech, with a floor: the unit of its error."""
    return torch.from_numpy(np.maximum(data.mouth[data.rest < 0.5].std(axis=0), 0.06))


def place_weight() -> Tensor:
    """Return how much each place in the window counts: most where a live stream reads, near the end."""
    weight = torch.ones(WINDOW)
    weight[-6:-1] = 3.0
    weight[:4] = 0.4
    return weight[None, :, None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write, and to go on from")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--learning-rate", type=float, default=7e-4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    data = MotionData.read(arguments.data)
    net, average = LipRefiner(), LipRefiner()
    scale, places = channel_scale(data), place_weight()

    def losses_of(rng: np.random.Generator) -> tuple[Tensor, list[float]]:
        drawn = draw_windows(rng, data)
        with torch.autocast("cpu", torch.bfloat16):
            heard = net.hear(drawn.features)
            made, named = net.move(heard, drawn.style), net.viseme(heard)
        errors = motion_errors(made.float() / scale, drawn.mouth / scale, drawn.weight * places)
        position, velocity, acceleration = errors
        misheard = functional.cross_entropy(
            named.float().flatten(0, 1), drawn.viseme.flatten(), ignore_index=-1
        )
        loss = position + velocity + 0.5 * acceleration + VISEME_WEIGHT * misheard
        return loss, [part.item() for part in (*errors, misheard)]

    train(
        net,
        average,
        losses_of,
        out=arguments.out,
        steps=arguments.steps,
        seed=arguments.seed,
        learning_rate=arguments.learning_rate,
    )


if __name__ == "__main__":
    main()
