"""Train the style predictor and say what it is worth: `tools/train_style_predictor.py --data ../shared/data`.

EmoDB (Burkhardt et al. 2005): eight German actors, seven emotions, here the first two seconds of 415
sentences. Each speaker is held out in turn. Beside the diffusion stands a plain classifier (softmax
regression) on the same traits. Writes engine/assets/style_predictor.npz, fitted to all speakers, with the
training record inside.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import nn

from mien.engine.emotion import EMOTIONS
from mien.engine.emotion_space import FELT
from mien.engine.style_predictor import (
    ACQUAINTANCE,
    CENTRE,
    SPREAD,
    STRETCH,
    WEIGHTS,
    StylePredictor,
    VoiceState,
    follow_voice,
)
from mien.engine.timebase import SAMPLE_RATE
from mien.engine.voice_traits import TRAITS, hear_traits

CLASSES: Final = "WETAFNL"
MEANINGS: Final[dict[str, dict[str, float]]] = {
    "W": {"angry": 2.0},
    "E": {"disgusted": 2.0},
    "T": {"sad": 2.0},
    "A": {"fear": 2.0},
    "F": {"happy": 2.0},
    "N": {},
    "L": {"contempt": 0.4, "sad": 0.3},
}
"""What each letter of a file's name means: acted anger is clear anger (2); boredom is hardly a feeling."""

NAMES: Final = {
    "W": "anger", "E": "disgust", "T": "sadness", "A": "fear", "F": "joy", "N": "neutral", "L": "boredom"
}  # fmt: skip
HIDDEN: Final = 64
STEPS: Final = 1200
BATCH: Final = 256
COPIES: Final = 3
"""Times each sentence is heard: as it is, then cut, with noise, at other levels."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Voices:
    """What was heard."""

    traits: Floats
    emotions: NDArray[np.int64]
    """Place in CLASSES."""

    speakers: NDArray[np.str_]
    clean: NDArray[np.bool_]
    """Not a spoilt copy."""


def target(letter: str) -> Floats:
    """Return the style of a letter at the places FELT, intensity / 3."""
    return np.array([MEANINGS[letter].get(EMOTIONS[place], 0.0) / 3 for place in FELT], np.float32)


TARGETS: Final = np.stack([target(letter) for letter in CLASSES])


def read_sound(path: Path) -> Floats:
    """Return a sound file as float32[n] at 16 kHz, mono."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample_poly(sound.mean(axis=1), SAMPLE_RATE, rate).astype(np.float32)


def hear_all(data: Path) -> Voices:
    """Return the traits of EmoDB, each sentence COPIES times."""
    rng = np.random.default_rng(0)
    traits, emotions, speakers, clean = [], [], [], []
    for path in sorted((data / "emodb" / "wav").glob("*.flac")):
        sound = read_sound(path)
        for copy in range(COPIES):
            heard = hear_traits(spoil(rng, sound) if copy else sound)
            if heard is not None:
                traits.append(heard)
                emotions.append(CLASSES.index(path.stem[5]))
                speakers.append(path.stem[:2])
                clean.append(copy == 0)
    return Voices(np.stack(traits), np.array(emotions), np.array(speakers), np.array(clean))


def spoil(rng: np.random.Generator, sound: Floats) -> Floats:
    """Cut up to 0.6 s off one end, add noise at 10 to 35 dB, and change the level."""
    cut = int(rng.uniform(0, 0.6) * SAMPLE_RATE)
    sound = sound[cut:] if rng.random() < 0.5 else sound[: len(sound) - cut]
    loudness = np.sqrt(np.mean(sound**2)) * 10 ** (-rng.uniform(10, 35) / 20)
    noisy = sound + loudness * rng.standard_normal(len(sound))
    return (noisy * 10 ** rng.uniform(-1, 0.1)).clip(-1, 1).astype(np.float32)


def acquaint(rng: np.random.Generator, standard: Floats, voices: Voices, *, known: int | None) -> Floats:
    """Subtract what is usual for each speaker, from `known` other stretches of theirs (None: any number)."""
    met = standard.copy()
    for row, speaker in enumerate(voices.speakers):
        count = int(rng.choice([0, 2, 5, 10, 20, 30])) if known is None else known
        pool = np.flatnonzero(voices.speakers == speaker)
        if known is None and rng.random() < 0.4:  # whom one listens to is calm most of the time
            pool = pool[np.isin(voices.emotions[pool], [CLASSES.index("N"), CLASSES.index("L")])]
        if count:
            met[row] -= standard[rng.choice(pool, count)].sum(axis=0) / np.float32(ACQUAINTANCE + count)
    return met


class Denoiser(nn.Module):
    """Predicts the clean style from a noisy one, the share of signal and the voice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(len(FELT) + 2 + len(TRAITS), HIDDEN)
        self.second = nn.Linear(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, len(FELT))

    def forward(self, noisy: torch.Tensor, alpha: torch.Tensor, voice: torch.Tensor) -> torch.Tensor:
        """Return float32[batch, 7] for noisy [batch, 7], alpha [batch, 1] and voice [batch, traits]."""
        told = torch.cat([noisy, alpha.sqrt(), (1 - alpha).sqrt(), voice], dim=1)
        hidden = nn.functional.dropout(torch.relu(self.first(told)), 0.2, self.training)
        return self.last(torch.relu(self.second(hidden)))


def fit_denoiser(voice: Floats, emotions: NDArray[np.int64]) -> Denoiser:
    """Train on styles with noise: each emotion as often as any other, intensities a little apart."""
    torch.manual_seed(0)
    net, condition = Denoiser(), torch.from_numpy(voice)
    clean = torch.from_numpy((TARGETS[emotions] - CENTRE) / SPREAD).float()
    often = torch.from_numpy(1.0 / np.bincount(emotions, minlength=len(CLASSES))[emotions])
    adam = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    for _ in range(STEPS):
        chosen = torch.multinomial(often, BATCH, replacement=True)
        wanted = clean[chosen] * (1 + 0.1 * torch.randn(BATCH, 1))
        alpha = torch.cos(torch.rand(BATCH, 1) * np.pi / 2) ** 2
        noisy = alpha.sqrt() * wanted + (1 - alpha).sqrt() * torch.randn_like(wanted)
        heard = condition[chosen] + 0.25 * torch.randn(BATCH, len(TRAITS))
        loss = nn.functional.mse_loss(net(noisy, alpha, heard), wanted)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return net.eval()


def fit_classifier(voice: Floats, emotions: NDArray[np.int64]) -> nn.Module:
    """Train softmax regression on the same traits."""
    torch.manual_seed(0)
    net, inputs, wanted = (
        nn.Linear(len(TRAITS), len(CLASSES)),
        torch.from_numpy(voice),
        torch.from_numpy(emotions),
    )
    weight = torch.from_numpy(1.0 / np.bincount(emotions, minlength=len(CLASSES))).float()
    adam = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.3)
    for _ in range(300):
        chosen = torch.randint(len(inputs), (BATCH,))
        heard = inputs[chosen] + 0.2 * torch.randn(BATCH, len(TRAITS))
        loss = nn.functional.cross_entropy(net(heard), wanted[chosen], weight=weight / weight.mean())
        adam.zero_grad()
        loss.backward()
        adam.step()
    return net.eval()


def save(path: Path, net: Denoiser, mean: Floats, std: Floats, record: dict[str, Any]) -> None:
    """Write the weights that mien.engine.style_predictor reads."""
    arrays = {name.replace(".", "_"): value.detach().numpy() for name, value in net.named_parameters()}
    half = {name: value.astype(np.float16) for name, value in arrays.items()}
    np.savez_compressed(path, mean=mean, std=std, record=np.array(json.dumps(record)), **half)


def hold_out_speakers(voices: Voices, scratch: Path, *, known: int) -> dict[str, NDArray[np.int64]]:
    """Return a confusion table (row: acted, column: read) of each method, every speaker unseen."""
    tables = {name: np.zeros((len(CLASSES),) * 2, np.int64) for name in ("diffusion", "classifier")}
    for speaker in sorted(set(voices.speakers)):
        seen = voices.speakers != speaker
        mean, std = voices.traits[seen].mean(axis=0), voices.traits[seen].std(axis=0) + 1e-6
        standard = (voices.traits - mean) / std
        learnt = acquaint(np.random.default_rng(1), standard, voices, known=None)
        asked = acquaint(np.random.default_rng(2), standard, voices, known=known)[~seen & voices.clean]
        truth = voices.emotions[~seen & voices.clean]
        save(scratch, fit_denoiser(learnt[seen], voices.emotions[seen]), mean, std, {})
        predictor, chance = StylePredictor(scratch), np.random.default_rng(3)
        styles = np.stack([predictor.sample(voice, chance)[list(FELT)] for voice in asked])
        nearest = np.linalg.norm(styles[:, None] - TARGETS, axis=2).argmin(axis=1)
        np.add.at(tables["diffusion"], (truth, nearest), 1)
        classifier = fit_classifier(learnt[seen], voices.emotions[seen])
        with torch.no_grad():
            best = classifier(torch.from_numpy(asked)).argmax(dim=1).numpy()
        np.add.at(tables["classifier"], (truth, best), 1)
    return tables


def recall(table: NDArray[np.int64]) -> float:
    """Return the mean over the emotions of the share that was read right: chance is 1 / 7."""
    return float(np.mean(np.diag(table) / table.sum(axis=1)))


def show(table: NDArray[np.int64]) -> str:
    """Return a confusion table as text."""
    heads = [NAMES[letter] for letter in CLASSES]
    lines = [f"{'acted':>9} | read as " + " ".join(f"{head:>8}" for head in heads)]
    lines += [
        f"{head:>9} |         " + " ".join(f"{count:8d}" for count in row)
        for head, row in zip(heads, table, strict=True)
    ]
    return "\n".join(lines)


def try_on_others(data: Path) -> dict[str, str]:
    """Say what the shipped predictor hears in the acted samples: English and Mandarin, two speakers."""
    predictor, heard = StylePredictor(), {}
    for path in sorted((data / "speech" / "a2f_samples" / "example_audio").glob("*.flac")):
        sound, state = read_sound(path), VoiceState()
        felt = []
        for start in range(0, len(sound), STRETCH // 2):
            state = follow_voice(predictor, sound[start : start + STRETCH // 2], state)
            felt.append(state.felt)
        mean = np.mean(felt, axis=0)
        order = np.argsort(-mean[list(FELT)])[:2]
        heard[path.stem] = ", ".join(f"{EMOTIONS[FELT[each]]} {3 * mean[FELT[each]]:.1f}" for each in order)
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the style predictor and say what it is worth.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    voices = hear_all(arguments.data)
    scores: dict[str, float] = {}
    for known in (0, 20):
        tables = hold_out_speakers(voices, arguments.out, known=known)
        for name, table in tables.items():
            scores[f"{name}, {known} stretches of the speaker known"] = round(recall(table), 3)
            print(
                f"\n{name}, {known} stretches of the speaker known: recall {recall(table):.3f}, chance 0.143"
            )
            print(show(table), flush=True)
    mean, std = voices.traits.mean(axis=0), voices.traits.std(axis=0) + 1e-6
    met = acquaint(np.random.default_rng(1), (voices.traits - mean) / std, voices, known=None)
    record = {
        "data": f"EmoDB, {int(voices.clean.sum())} sentences by 8 actors, German (CC0)",
        "licence": "Apache-2.0",
        "mean_recall_on_held_out_speakers_of_7_emotions": scores,
        "chance": round(1 / 7, 3),
        "weakness": "acted, German, read sentences, studio; contempt and surprise never heard",
    }
    save(arguments.out, fit_denoiser(met, voices.emotions), mean, std, record)
    print("\nacted samples:")
    for name, felt in try_on_others(arguments.data).items():
        print(f"  {name}: {felt}")


if __name__ == "__main__":
    main()
