"""Small nets that can be understood, in place of the trained ones."""

import numpy as np

from mien.engine.features import ROWS_PER_FRAME, SILENCE
from mien.engine.graph import GraphCard
from mien.engine.lips import MOUTH_NAMES
from mien.engine.motion import CHANNELS

MEAN = np.linspace(-0.1, 0.1, CHANNELS).astype(np.float32)
STD = np.linspace(0.05, 0.2, CHANNELS).astype(np.float32)
PATTERN = np.cos(np.arange(CHANNELS)).astype(np.float32)


class LoudnessDenoiser:
    """Knows the truth: every channel follows the loudness of its own frame, and the style's sum on top."""

    def __init__(self, window_frames: int = 12) -> None:
        self.card = GraphCard(window_frames, MEAN, STD)
        self.calls: list[dict[str, np.ndarray]] = []

    def encode(self, features: np.ndarray) -> np.ndarray:
        assert features.shape[1:] == (self.card.window_frames * ROWS_PER_FRAME, 64)
        return features.mean(axis=2).reshape(len(features), -1, ROWS_PER_FRAME)

    def denoise(self, **inputs: np.ndarray) -> np.ndarray:
        assert all(value.dtype == np.float32 for value in inputs.values())
        self.calls.append({name: value.copy() for name, value in inputs.items()})
        del self.calls[:-64]
        truth = inputs["tokens"].mean(axis=2)[..., None] * PATTERN
        offset = inputs["style"].sum(axis=1) * inputs["style_known"]
        return (truth + offset[:, None, None]).astype(np.float32)


class SmearedDenoiser(LoudnessDenoiser):
    """Leans on its noisy input and on what was shown, as a trained net does."""

    def denoise(self, **inputs: np.ndarray) -> np.ndarray:
        truth = super().denoise(**inputs)
        shown = inputs["noisy"] * inputs["shown"][..., None]
        return (0.6 * truth + 0.2 * inputs["noisy"] + 0.2 * shown.mean(axis=1, keepdims=True)).astype(
            np.float32
        )


class LoudnessLips:
    """Opens every channel by the loudness around its frame: three frames back, two ahead."""

    def __init__(self, window_frames: int = 12) -> None:
        self.window_frames = window_frames

    def articulate(self, features: np.ndarray, style: np.ndarray) -> np.ndarray:
        loudness = features.mean(axis=1).reshape(-1, ROWS_PER_FRAME).mean(axis=1) - SILENCE
        near = np.convolve(np.pad(loudness, (3, 2), mode="edge"), np.full(6, 1 / 6), mode="valid")
        opening = 0.05 + 0.3 * near + 0.05 * float(style.sum())
        return np.repeat(opening[:, None], len(MOUTH_NAMES), axis=1).astype(np.float32)
