"""Draw the emotion space: labels, phrases, pictures and clips as points of one plane.

    python tools/plot_emotion_space.py --data ../shared/data --out docs/motion/emotion-space.png

Labels stand where the circumplex of emotions has them (Russell 1980: pleasant to the right, aroused above),
further out the more they move of the face; a style lies at the sum of its labels' places by its intensities.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from expression import PROTOTYPE_MATRIX
from matplotlib import pyplot
from numpy.typing import NDArray

from mien.engine.emotion import EMOTIONS, Emotion, StyleVector
from mien.engine.emotion_space import FELT, read_emotion
from mien.web.style_source import style_of_file

PHRASES: Final = (
    "barely amused", "sadly surprised", "hatred", "over the moon", "livid with rage", "slightly worried",
    "we won the lottery!", "my dog died this morning", "sarcastic and superior", "this smells revolting",
    "scared out of her wits", "calm as a lake", "pleasantly startled", "a little lonely",
)  # fmt: skip
PICTURES: Final = {
    "photo: astronaut": "tools/portraits/astronaut.png",
    "painting: Mona Lisa": "tools/portraits/mona_lisa.jpg",
}
CLIPS: Final = {
    "film: GRID's talker": "grid/video/bbaf2n.mp4",
    "voice: Claire, anger": "speech/a2f_samples/example_audio/Claire_anger.flac",
    "voice: Claire, sadness": "speech/a2f_samples/example_audio/Claire_sadness.flac",
    "voice: Mark, joy": "speech/a2f_samples/example_audio/Mark_joy.flac",
    "voice: Mark, neutral": "speech/a2f_samples/example_audio/Mark_neutral.flac",
}
ROOT: Final = Path(__file__).resolve().parents[1]

Places = NDArray[np.float64]


def label_places() -> Places:
    """Return where each of FELT at full intensity lies, float64[7, 2], neutral being the origin.

    The angles are those of the circumplex, chosen by hand; the lengths grow with what a prototype moves.
    """
    degrees = {"happy": 15, "surprised": 75, "fear": 118, "angry": 148, "disgusted": 182, "contempt": 215,
               "sad": 250}  # fmt: skip
    sizes = np.linalg.norm(PROTOTYPE_MATRIX[list(FELT)], axis=1)
    angles = np.deg2rad([degrees[EMOTIONS[place]] for place in FELT])
    return 0.5 * (1 + sizes / sizes.mean())[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def place_of(style: StyleVector) -> Places:
    """Return where a style lies, float64[2]."""
    return style[list(FELT)].astype(np.float64) @ label_places()


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the emotion space.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    mpl.use("Agg")
    figure, axes = pyplot.subplots(figsize=(9.5, 8), dpi=90)
    for place, at in zip(FELT, label_places(), strict=True):
        for level in (1, 2, 3):
            axes.plot(*(at * level / 3), "o", color="#b9b4a6", markersize=3 + 2 * level, zorder=1)
        axes.plot([0, at[0]], [0, at[1]], color="#d9d5ca", zorder=0)
        axes.annotate(
            Emotion(EMOTIONS[place]).upper(),
            (1 + 0.11 / np.linalg.norm(at)) * at,
            ha="center",
            va="center",
            weight="bold",
        )
    axes.annotate("NEUTRAL", (-0.07, -0.05), ha="right", va="top", weight="bold", fontsize=8)
    groups = {
        "words": ("#2f6f9f", "s", {f'"{words}"': read_emotion(words) for words in PHRASES}),
        "pictures": ("#b0563f", "D", {name: style_of_file(ROOT / path) for name, path in PICTURES.items()}),
        "films and voices": (
            "#3f7d4e",
            "^",
            {name: style_of_file(arguments.data / path) for name, path in CLIPS.items()},
        ),
    }
    taken: list[Places] = []
    for title, (colour, marker, styles) in groups.items():
        for number, (name, style) in enumerate(styles.items()):
            at = place_of(style)
            axes.plot(*at, marker, color=colour, markersize=6, label=title if number == 0 else None, zorder=3)
            text = at + np.array([0.025, 0.0])
            while any(abs(text[1] - other[1]) < 0.042 and abs(text[0] - other[0]) < 0.5 for other in taken):
                text = text - np.array([0.0, 0.02])
            taken.append(text)
            line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}
            axes.annotate(name, at, text, fontsize=8, color=colour, va="center", zorder=4, arrowprops=line)
            felt = (f"{EMOTIONS[each]} {3 * style[each]:.1f}" for each in FELT if style[each] > 0.1)
            print(f"{name}: " + ", ".join(felt))
    axes.set_title("One emotion space: dots are the labels at intensity 1, 2 and 3")
    axes.legend(loc="lower right", frameon=False)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.margins(0.12)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, bbox_inches="tight", pil_kwargs={"optimize": True})
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
