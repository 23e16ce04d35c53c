"""What both trainings share: the data, the loop, the averaged weights, and going on after a stop."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from build_motion_data import DOMAINS
from motion_nets import BINS, WINDOW
from numpy.typing import NDArray
from torch import Tensor, nn

from mien.engine.features import SILENCE

WARM_UP_STEPS: Final = 200
AVERAGE_DECAY: Final = 0.998
KEEP_EVERY_S: Final = 120

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class MotionData:
    """What tools/build_motion_data.py wrote; its head says what each array is."""

    features: NDArray[np.float16]
    mouth: Floats
    closed: Floats
    effort: Floats
    rest: Floats
    face: Floats
    start: NDArray[np.int64]
    frames: NDArray[np.int64]
    domain: NDArray[np.int64]
    valid: NDArray[np.bool_]
    kept_out: NDArray[np.bool_]
    viseme: NDArray[np.int8]

    @classmethod
    def read(cls, path: Path) -> "MotionData":
        """Read the npz whole; visemes may be missing, for the lips alone need them."""
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in cls.__annotations__ if name in archive.files}
        found.setdefault("kept_out", np.zeros(len(found["start"]), bool))
        found.setdefault("viseme", np.full(len(found["mouth"]), -1, np.int8))
        return cls(**found)

    @cached_property
    def _by_domain(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return, for each domain, its clips and the sum of their frames' shares so far."""
        table = {}
        for place, domain in enumerate(DOMAINS):
            clips = np.flatnonzero((self.domain == place) & ~self.kept_out)
            table[domain] = clips, np.cumsum(self.frames[clips]) / max(self.frames[clips].sum(), 1)
        return table

    def draw_window(self, rng: np.random.Generator, domain: str) -> tuple[int, int, int]:
        """Draw (first frame, frames, frames of silence before): a window, which may begin before its clip."""
        clips, shares = self._by_domain[domain]
        clip = clips[min(int(np.searchsorted(shares, rng.random())), len(clips) - 1)]
        first = int(rng.integers(-WINDOW // 2, max(1, self.frames[clip] - WINDOW + 1)))
        before = max(0, -first)
        return int(self.start[clip]) + first + before, min(WINDOW - before, int(self.frames[clip])), before


def blur_level(rng: np.random.Generator, features: Floats) -> Floats:
    """Move the level and tilt of a window's features a little: cheap, so at every draw."""
    tilt = np.interp(np.arange(BINS), np.linspace(0, BINS - 1, 5), rng.normal(0, 0.06, 5))
    moved = features + np.float32(rng.uniform(-0.25, 0.25)) + tilt.astype(np.float32)
    return np.maximum(np.where(features > SILENCE + 0.02, moved, features), SILENCE)


def motion_errors(made: Tensor, wanted: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return weighted mean squared errors of position, velocity and acceleration, from [B, W, channels]."""

    def error(difference: Tensor, counted: Tensor) -> Tensor:
        return (difference.square() * counted).sum() / counted.sum().clamp(min=1)

    off = made - wanted
    step = off[:, 1:] - off[:, :-1]
    bend = step[:, 1:] - step[:, :-1]
    return (
        error(off, weight),
        error(step, torch.minimum(weight[:, 1:], weight[:, :-1])),
        error(bend, torch.minimum(weight[:, 2:], weight[:, :-2])),
    )


def train(
    net: nn.Module,
    average: nn.Module,
    losses_of: Callable[[np.random.Generator], tuple[Tensor, list[float]]],
    *,
    out: Path,
    steps: int,
    seed: int,
    learning_rate: float,
) -> None:
    """Train until `steps`, going on from `out` where it exists.

    losses_of: draws a batch from the generator it gets and returns its loss and the parts to log. Step k's
    batch depends on the seed and k alone, and the learning rate on k, so neither a stop nor the machine's
    load changes what is learned. `average` is the running mean of the weights: what is exported.
    """
    torch.set_num_threads(1)
    optimiser = torch.optim.AdamW(net.parameters(), learning_rate, betas=(0.9, 0.98), weight_decay=0.02)
    average.load_state_dict(net.state_dict())
    step = 0
    losses: list[list[float]] = []
    if out.exists():
        kept = torch.load(out, weights_only=True)
        net.load_state_dict(kept["net"])
        average.load_state_dict(kept["average"])
        optimiser.load_state_dict(kept["optimiser"])
        step, losses = kept["step"], kept["losses"]
    began = kept_at = time.monotonic()
    recent: list[list[float]] = []
    while step < steps:
        torch.manual_seed(seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            cosine = 0.5 + 0.5 * math.cos(math.pi * step / steps)
            group["lr"] = learning_rate * (min(1.0, (step + 1) / WARM_UP_STEPS) * cosine + 0.01)
        loss, parts = losses_of(np.random.default_rng([seed, step]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        _follow(average, net, min(AVERAGE_DECAY, 1 - 1 / (step + 1)))
        recent.append(parts)
        if step % 100 == 0:
            losses.append([step, *np.mean(recent, axis=0).round(5).tolist()])
            recent = []
            print(json.dumps(losses[-1]), f"{time.monotonic() - began:.0f} s", flush=True)
        if time.monotonic() - kept_at > KEEP_EVERY_S or step == steps:
            state = {"net": net.state_dict(), "average": average.state_dict()}
            state |= {"optimiser": optimiser.state_dict(), "step": step, "losses": losses}
            torch.save(state, out.with_suffix(".new"))
            out.with_suffix(".new").replace(out)
            kept_at = time.monotonic()


@torch.no_grad()
def _follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    for mean, weight in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(weight, 1 - decay)
