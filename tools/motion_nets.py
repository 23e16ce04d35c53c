"""The three small nets of motion, in torch, for training and export.

Shapes: B windows of W video frames; each frame has 4 rows of 64 features (mien.engine.features). All are
plain transformers of pre-normalised blocks (Vaswani et al. 2017; Xiong et al. 2020) behind a causal
convolution that turns four rows of features into one token a frame.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

WINDOW: Final = 24
BINS: Final = 64
ROWS: Final = 4
MOUTH: Final = 28
CHANNELS: Final = 60
STYLES: Final = 11
"""Eight emotions, then the manner: mien.engine.emotion."""

EMOTIONS: Final = 8
VISEME_COUNT: Final = 27
"""Rows of articulation.VISEMES."""
EXPRESSION_SCALE: Final = 8.0
"""A face's size in the deviations of what moves upon it: lets its layer start small as the others do."""

WIDTH: Final = 192
HEADS: Final = 4


class Block(nn.Module):
    """Self-attention over the window, then a feed-forward layer: [B, W, width] -> [B, W, width]."""

    def __init__(self, width: int = WIDTH, heads: int = HEADS) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.forward_norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 3 * width)
        self.contract = nn.Linear(3 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after one block."""
        frames, width = tokens.shape[1:]
        projected = self.projections(self.attention_norm(tokens))
        projected = projected.view(-1, frames, 3, self.heads, width // self.heads)
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(-1, frames, width)
        tokens = tokens + self.output(mixed)
        return tokens + self.contract(
            functional.gelu(self.expand(self.forward_norm(tokens)), approximate="tanh")
        )


class Stem(nn.Module):
    """Features float32[B, 4 W, 64] -> tokens [B, W, width], each from its own rows and some before it."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.first = nn.Conv1d(BINS, 128, 5)
        self.second = nn.Conv1d(128, width, 4, stride=2)
        self.third = nn.Conv1d(width, width, 4, stride=2)
        self.position = nn.Parameter(torch.randn(WINDOW, width) * 0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Return the tokens."""
        rows = features.transpose(1, 2)
        rows = functional.gelu(self.first(functional.pad(rows, (4, 0))), approximate="tanh")
        rows = functional.gelu(self.second(functional.pad(rows, (2, 0))), approximate="tanh")
        rows = functional.gelu(self.third(functional.pad(rows, (2, 0))), approximate="tanh")
        return rows.transpose(1, 2) + self.position


class LipRefiner(nn.Module):
    """Features and style -> the mouth, float32[B, W, 28], the wanted lip gap in mouthClose's place.

    What is said alone gives the neutral articulation; style adds a residue that is exactly zero for zero
    style (the split of MagicTalk's lip refinement). In training it also names what is said, which no voice
    or microphone changes; the export leaves that out.
    """

    def __init__(self, layers: int = 5, visemes: int = VISEME_COUNT) -> None:
        super().__init__()
        self.stem = Stem()
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.norm = nn.LayerNorm(WIDTH)
        self.articulation = nn.Linear(WIDTH, MOUTH)
        self.said = nn.Linear(WIDTH, WIDTH)
        self.felt = nn.Linear(STYLES, WIDTH, bias=False)
        self.residue = nn.Linear(WIDTH, MOUTH, bias=False)
        self.viseme = nn.Linear(WIDTH, visemes)
        nn.init.zeros_(self.articulation.weight)
        nn.init.zeros_(self.residue.weight)

    def hear(self, features: Tensor) -> Tensor:
        """Return what is heard, float32[B, W, width]."""
        tokens = self.stem(features)
        for block in self.blocks:
            tokens = block(tokens)
        heard: Tensor = self.norm(tokens)
        return heard

    def forward(self, features: Tensor, style: Tensor) -> Tensor:
        """Return the mouth."""
        return self.move(self.hear(features), style)

    def move(self, tokens: Tensor, style: Tensor) -> Tensor:
        """Return the mouth for what is heard."""
        said = self.said(tokens)
        felt = functional.gelu(said + self.felt(3 * style)[:, None], approximate="tanh")
        felt = felt - functional.gelu(said, approximate="tanh")
        mouth: Tensor = self.articulation(tokens) + self.residue(felt)
        return mouth


class MotionEncoder(nn.Module):
    """Features float32[B, 4 W, 64] -> tokens float32[B, W, width]: what the denoiser hears."""

    def __init__(self, layers: int = 2) -> None:
        super().__init__()
        self.stem = Stem()
        self.blocks = nn.ModuleList(Block() for _ in range(layers))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        """Return the tokens."""
        tokens = self.stem(features)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)


class StyledBlock(nn.Module):
    """A Block that a condition scales, shifts and gates: adaLN-Zero, Peebles and Xie 2023, section 3.2.

    tokens [B, F, width], condition [B, width] -> tokens [B, F, width]. Style and time so reach every layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.projections = nn.Linear(WIDTH, 3 * WIDTH)
        self.output = nn.Linear(WIDTH, WIDTH)
        self.forward_norm = nn.LayerNorm(WIDTH, elementwise_affine=False)
        self.expand = nn.Linear(WIDTH, 3 * WIDTH)
        self.contract = nn.Linear(3 * WIDTH, WIDTH)
        self.modulation = nn.Linear(WIDTH, 6 * WIDTH)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, tokens: Tensor, condition: Tensor) -> Tensor:
        """Return the tokens after one block."""
        parts = self.modulation(condition)[:, None].chunk(6, dim=-1)
        scale, shift, gate, wide_scale, wide_shift, wide_gate = parts
        frames, width = tokens.shape[1:]
        projected = self.projections(self.attention_norm(tokens) * (1 + scale) + shift)
        projected = projected.view(-1, frames, 3, HEADS, width // HEADS)
        query, key, value = projected.permute(2, 0, 3, 1, 4).unbind(0)
        scores = query @ key.transpose(-1, -2) * (width // HEADS) ** -0.5
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(-1, frames, width)
        tokens = tokens + gate * self.output(mixed)
        wide = self.expand(self.forward_norm(tokens) * (1 + wide_scale) + wide_shift)
        return tokens + wide_gate * self.contract(functional.gelu(wide, approximate="tanh"))


class Denoiser(nn.Module):
    """Predict the clean motion of the last F <= W frames of a window (Ho et al. 2020, with the x0 target).

    noisy float32[B, F, 60], frames already shown given clean; shown float32[B, F]: 1 shown, 0 to be made;
    tokens [B, F, width]; style float32[B, 11]; style_known float32[B], 0 to leave the emotion open; alpha
    float32[B], the share of signal. Returns clean motion float32[B, F, 60]. All in normalised units.

    A style's face is many times larger than what moves upon it, so the blocks see and give only what is left
    when it is taken away: `expression`, a function of the style alone, which no history can change.
    """

    frequencies: Tensor

    def __init__(self, layers: int = 4) -> None:
        super().__init__()
        self.motion = nn.Linear(CHANNELS + 1, WIDTH)
        self.heard = nn.Linear(WIDTH, WIDTH)
        self.position = nn.Parameter(torch.randn(WINDOW, WIDTH) * 0.02)
        self.time = nn.Sequential(nn.Linear(64, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.style = nn.Sequential(nn.Linear(STYLES + 1, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH))
        self.blocks = nn.ModuleList(StyledBlock() for _ in range(layers))
        self.norm = nn.LayerNorm(WIDTH)
        self.clean = nn.Linear(WIDTH, CHANNELS)
        self.expression = nn.Linear(WIDTH, CHANNELS)
        for layer in (self.clean, self.expression):
            nn.init.zeros_(layer.weight)
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(100), 32)))

    def forward(
        self, noisy: Tensor, shown: Tensor, tokens: Tensor, style: Tensor, style_known: Tensor, alpha: Tensor
    ) -> Tensor:
        """Return the clean motion."""
        angle = torch.acos(alpha.clamp(0, 1).sqrt())[:, None] * (2 / math.pi) * self.frequencies
        time = self.time(torch.cat([angle.sin(), angle.cos()], dim=-1))
        emotion, manner = style[:, :EMOTIONS], style[:, EMOTIONS:]
        felt = self.style(
            torch.cat([3 * emotion * style_known[:, None], manner, style_known[:, None]], dim=-1)
        )
        condition = functional.silu(time + felt)
        face = EXPRESSION_SCALE * self.expression(felt)[:, None]
        frames = noisy.shape[1]
        signal = torch.maximum(shown, alpha.sqrt()[:, None])[..., None]
        tokens = self.motion(torch.cat([noisy - signal * face, shown[..., None]], dim=-1)) + self.heard(
            tokens
        )
        tokens = tokens + self.position[WINDOW - frames :]
        for block in self.blocks:
            tokens = block(tokens, condition)
        return face + self.clean(self.norm(tokens))
