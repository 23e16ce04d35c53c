"""Compare lip refiners on what was kept out of training to choose by: GRID clips and Kokoro's utterances.

Runs checkpoints of tools/train_lips.py in torch, each frame as a live stream would make it: the third last
of its window, with the geometry of tools/export_motion.py. Prints, for each, the correlation of jaw and lip
gap with the truth, how late they come in milliseconds, their acceleration against the truth's, and how well
p, b and m close. The test sets of tools/score_motion.py are not touched.
"""

import argparse
from pathlib import Path
from typing import Final

import numpy as np
import torch
from build_motion_data import DOMAINS, GAP, MOUTH_PLACE
from export_motion import LOOK_AHEAD_FRAMES, ShippedLips
from lip_gap import FULL_GAP, MOUTH_GAP
from lip_measures import acceleration_ratio, correlation, lag_ms
from motion_nets import BINS, ROWS, STYLES, WINDOW, LipRefiner
from training import Floats, MotionData

from mien.engine.features import SILENCE

BATCH: Final = 96
JAW: Final = MOUTH_PLACE["jawOpen"]


@torch.no_grad()
def play(net: ShippedLips, features: Floats) -> Floats:
    """Return a clip's mouth as a live stream makes it: float32[4 * frames, 64] -> float32[frames, 28]."""
    frames = len(features) // ROWS
    before = np.full(((WINDOW - 1 - LOOK_AHEAD_FRAMES) * ROWS, BINS), SILENCE, np.float32)
    after = np.full((LOOK_AHEAD_FRAMES * ROWS, BINS), SILENCE, np.float32)
    whole = np.concatenate([before, features, after])
    windows = np.stack([whole[ROWS * k : ROWS * (k + WINDOW)] for k in range(frames)])
    made = [
        net(part, torch.zeros(len(part), STYLES))[:, -1 - LOOK_AHEAD_FRAMES]
        for part in torch.from_numpy(windows).split(BATCH)
    ]
    return torch.cat(made).numpy()


def score(net: ShippedLips, data: MotionData, domain: str, most: int) -> str:
    """Return a line of figures for a domain's kept-out clips, `most` of them."""
    jaws, gaps, true_jaws, true_gaps = [], [], [], []
    shut, hits, marks = 0, 0, 0
    chosen = np.flatnonzero((data.domain == DOMAINS.index(domain)) & data.kept_out)[:most]
    for clip in chosen:
        taken = slice(data.start[clip], data.start[clip] + data.frames[clip])
        heard = data.features[ROWS * taken.start : ROWS * taken.stop].astype(np.float32)
        mouth, wanted = play(net, heard), data.mouth[taken]
        jaws.append(mouth[:, JAW].astype(np.float64))
        gaps.append(np.maximum(mouth @ MOUTH_GAP, 0).astype(np.float64) / FULL_GAP)
        true_jaws.append(wanted[:, JAW].astype(np.float64))
        true_gaps.append(np.maximum(wanted[:, GAP], 0).astype(np.float64))
        closed, said = data.closed[taken] > 0.9, data.rest[taken] < 0.5
        touching = gaps[-1] < 0.05
        near = np.convolve(touching, [1, 1, 1], "same") > 0
        hits += int((near & closed).sum())
        marks += int(closed.sum())
        shut += int((touching & said & (wanted[:, GAP] > 0.35)).sum())
    opened = sum(int((gap > 0.35).sum()) for gap in true_gaps)
    late = [lag_ms(made, true).value for made, true in ((jaws, true_jaws), (gaps, true_gaps))]
    lively = [acceleration_ratio(made, true).value for made, true in ((jaws, true_jaws), (gaps, true_gaps))]
    return (
        f"{domain} {len(chosen)}: r {correlation(jaws, true_jaws)} {correlation(gaps, true_gaps)}"
        f"  late {late[0]:+.0f} {late[1]:+.0f} ms  acceleration {lively[0]:.2f} {lively[1]:.2f}"
        f"  closed frames {hits / max(marks, 1):.3f}"
        f"  wrongly {shut / max(opened, 1):.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="+", help="of tools/train_lips.py")
    parser.add_argument("--data", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument("--clips", type=int, default=40, help="at most so many of each domain")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    data = MotionData.read(arguments.data)
    for checkpoint in arguments.checkpoints:
        kept = torch.load(checkpoint, weights_only=True)
        refiner = LipRefiner()
        refiner.load_state_dict(kept["average"])
        net = ShippedLips(refiner).eval()
        for domain in ("grid", "kokoro"):
            print(checkpoint.name, kept["step"], score(net, data, domain, arguments.clips), flush=True)


if __name__ == "__main__":
    main()
