"""Have portraits show drawn styles, and read each picture with the landmark model: what pictures teach.

    python tools/show_styles.py --out build/shown_styles.npz

Writes one npz: `scores` float32[pictures, 51] of SCORED_SHAPES, `styles` float32[pictures, 11], `sitters`.
A picture shows a style as one drawn person makes it (tools/expression.py), most with a mouth that speaks.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from cases import VISEMES, motion_of
from expression import Person, draw_style, show_style
from numpy.typing import NDArray
from sitters import choose_sitters, open_landmarker, open_sitters, open_view

from mien.engine.landmarks import SCORED_SHAPES
from mien.engine.motion import INDEX, SHAPE_SLICE

SITTERS: Final = "mona_lisa,iris,bram,tomas,amara,mei,marble,pearl,velata,talker,reader,brooch,red_chair"
PICTURES: Final = 110
"""Pictures of each sitter."""

Motion = NDArray[np.float32]


def draw_face(rng: np.random.Generator) -> tuple[Motion, Motion]:
    """Draw a frame of motion, float32[60], and its style: a feeling, often a sound, sometimes a blink."""
    style = draw_style(rng, neutral=0.2, mixed=0.2)
    motion = show_style(style) * Person.draw(rng).strengths
    if rng.random() < 0.6:
        name = rng.choice(list(VISEMES))
        motion = motion + np.float32(rng.uniform(0.2, 0.9)) * motion_of(VISEMES[name])
    for channel, size in (("headPitch", 0.06), ("headYaw", 0.08), ("headRoll", 0.05)):
        motion[INDEX[channel]] += rng.normal(0, size)
    if rng.random() < 0.1:
        motion[[INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]] = rng.uniform(0.2, 1)
    motion[SHAPE_SLICE] = motion[SHAPE_SLICE].clip(0, 1)
    return motion.astype(np.float32), style


def main() -> None:
    parser = argparse.ArgumentParser(description="Have portraits show drawn styles, and read the pictures.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=SITTERS)
    arguments = parser.parse_args()
    rng, landmarker = np.random.default_rng(0), open_landmarker()
    scores, styles, sitters = [], [], []
    for sitter, portrait in open_sitters(choose_sitters(arguments.only)):
        renderer = open_view(portrait)
        for _ in range(PICTURES):
            motion, style = draw_face(rng)
            faces = landmarker.detect(renderer.render(motion))
            if faces:
                scores.append([faces[0].shapes[name] for name in SCORED_SHAPES[1:]])
                styles.append(style)
                sitters.append(sitter.id)
        renderer.close()
        np.savez(arguments.out, scores=np.array(scores, np.float32), styles=np.stack(styles), sitters=sitters)
        print(f"{sitter.id}: {len(scores)} pictures in all", flush=True)


if __name__ == "__main__":
    main()
