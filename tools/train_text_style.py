"""Fit the map from a sentence's embedding to a style: `python tools/train_text_style.py`, about a minute.

The texts are our own (tools/emotion_words.py). Concepts are held out in five folds, to report what the map
makes of words it has not seen and to choose its loss and noise by; the shipped map is then fitted to all.
Writes engine/assets/text_style.npz with the training record inside.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "engine"))

from emotion_words import ADJECTIVES, NOUNS, SENTENCES, Target, adverb, draw_texts, read_lines  # noqa: E402
from unseen_phrases import HELD_OUT, PHRASES  # noqa: E402

from mien.engine.emotion import EMOTIONS  # noqa: E402
from mien.engine.sentence import EMBEDDING_SIZE, load_sentence_encoder  # noqa: E402

OUT: Final = ROOT / "engine" / "assets" / "text_style.npz"
TEXTS: Final = 4000
HIDDEN: Final = 128
STEPS: Final = 700
BATCH: Final = 128
NOISE: Final = 1.1
"""Length of the noise added to an embedding of length 1, so that neighbours share a style."""

SCALE: Final = 4.0
"""What the map multiplies an embedding by, so that its weights start at their usual size."""

FELT: Final = [place for place, emotion in enumerate(EMOTIONS) if emotion != "neutral"]

Concept = tuple[str, str, Target]


class Map(nn.Module):
    """Embedding -> how the seven emotions share the style out (as logits), and its strength (as one more)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(EMBEDDING_SIZE, HIDDEN)
        self.outer = nn.Linear(HIDDEN, len(FELT) + 1)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return float32[texts, 8] for float32[texts, EMBEDDING_SIZE]."""
        return self.outer(torch.relu(self.inner(SCALE * embedding)))


def concepts() -> list[Concept]:
    """Return what the word list holds. Raises ValueError if a word of the unseen phrases is among it."""
    found = [
        (kind, text, style)
        for kind, block in (("adjective", ADJECTIVES), ("noun", NOUNS), ("sentence", SENTENCES))
        for text, style in read_lines(block)
    ]
    for _, text, _ in found:
        seen = HELD_OUT & set(re.findall(r"[a-z]+", text.lower()))
        if seen or text in PHRASES:
            raise ValueError(f"{text!r} holds words of the unseen phrases: {sorted(seen)}")
    return found


def embed(texts: list[str]) -> NDArray[np.float32]:
    """Return the texts' embeddings, float32[texts, EMBEDDING_SIZE]."""
    encoder = load_sentence_encoder()
    return np.stack([encoder.embed(text) for text in texts])


def fit(embeddings: NDArray[np.float32], styles: Target, *, seed: int = 0) -> Map:
    """Fit a map: cross-entropy for the shares where something is felt, squared error for the strength.

    Squared error alone makes every unknown word a little of everything.
    """
    torch.manual_seed(seed)
    inputs, targets = torch.from_numpy(embeddings), torch.from_numpy(styles[:, FELT])
    strength = targets.sum(dim=1)
    shares = targets / strength.clamp(min=1e-6)[:, None]
    net = Map()
    adam = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    for _ in range(STEPS):
        chosen = torch.randint(len(inputs), (BATCH,))
        noise = NOISE * torch.randn(BATCH, EMBEDDING_SIZE) / EMBEDDING_SIZE**0.5
        predicted = net(nn.functional.normalize(inputs[chosen] + noise, dim=1))
        missed = -(shares[chosen] * predicted[:, :-1].log_softmax(dim=1)).sum(dim=1)
        counts = 2 * strength[chosen].clamp(max=0.5) * (strength[chosen] > 0.05)
        error = (torch.sigmoid(predicted[:, -1]) - strength[chosen]).square()
        weight = torch.where(strength[chosen] > 0.05, 1.0, 1.6)
        loss = (counts * missed + 12 * weight * error).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def score(net: Map, embeddings: NDArray[np.float32], truth: Target) -> dict[str, float]:
    """Say how well a map does: shares of styles in the right half, of neutral ones, and error of strength."""
    predicted = net(torch.from_numpy(embeddings))
    strength = torch.sigmoid(predicted[:, -1]).numpy()
    shares = predicted[:, :-1].softmax(dim=1).numpy()
    true_strength = truth.sum(axis=1)
    felt = true_strength > 0.05
    right = (shares * (truth[:, FELT] > 0)).sum(axis=1) > 0.5
    return {
        "more_than_half_on_the_right_emotions": float(right[felt].mean()),
        "the_same_by_chance": float((truth[felt] > 0).mean() * len(EMOTIONS) / len(FELT)),
        "neutral_under_intensity_1": float((strength < 1 / 3)[~felt].mean()),
        "intensity_mean_error": float(3 * np.abs(strength - true_strength).mean()),
        "intensity_correlation": float(np.corrcoef(strength, true_strength)[0, 1]),
    }


def mentions(texts: list[str], concept: Concept) -> NDArray[np.bool_]:
    """Say which texts hold a concept's words, or the adverb made of them."""
    kind, text, _ = concept
    stem = text.removeprefix("a ").removeprefix("an ")
    manner = adverb(stem) if kind == "adjective" else None
    words = "|".join(re.escape(each) for each in (stem, manner) if each)
    pattern = re.compile(rf"(?<![a-z])({words})(?![a-z])")
    return np.array([bool(pattern.search(each)) for each in texts])


def cross_validate(
    found: list[Concept], texts: list[str], embeddings: NDArray[np.float32], styles: Target, *, folds: int = 5
) -> dict[str, float]:
    """Hold out a fifth of the concepts at a time, with every text that mentions one, and score those."""
    order = np.random.default_rng(0).permutation(len(found))
    mentioned = np.stack([mentions(texts, concept) for concept in found])
    scores = []
    for fold in range(folds):
        held = order[fold::folds]
        kept = ~mentioned[held].any(axis=0)
        net = fit(embeddings[kept], styles[kept])
        # The pool begins with the concepts themselves.
        scores.append(score(net, embeddings[held], styles[held]))
    return {name: round(float(np.mean([each[name] for each in scores])), 3) for name in scores[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the map from words to styles.")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = concepts()
    pool = draw_texts(np.random.default_rng(1), found, TEXTS)
    texts, styles = [text for text, _ in pool], np.stack([style for _, style in pool])
    embeddings = embed(texts)
    held_out = cross_validate(found, texts, embeddings, styles)
    print("concepts held out:", held_out, flush=True)
    net = fit(embeddings, styles)
    record: dict[str, Any] = {
        "data": f"{len(found)} words and phrases of tools/emotion_words.py, written for mien",
        "texts": TEXTS,
        "encoder": "all-MiniLM-L6-v2, 8-bit weights (Apache-2.0)",
        "licence": "Apache-2.0",
        "concepts_held_out": held_out,
        "seed": 0,
    }
    weights = {name: value.detach().numpy().astype(np.float16) for name, value in net.named_parameters()}
    np.savez_compressed(
        arguments.out,
        inner_weight=(SCALE * weights["inner.weight"]).astype(np.float16),
        inner_bias=weights["inner.bias"],
        outer_weight=weights["outer.weight"],
        outer_bias=weights["outer.bias"],
        record=np.array(json.dumps(record)),
    )
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
