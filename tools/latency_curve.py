"""What waiting buys: lip accuracy, delay and cost for look-ahead 0..200 ms and a hop of 1..8 frames.

Look-ahead is the sound that must follow a frame before it is made; a hop of h frames is made at once, so its
first frame waits for h - 1 more. Accuracy is measured through the live path on held-out clips of GRID
(filmed) and held-out voices of Kokoro (authored), see recordings.py; the cost of a frame is the least of
several runs of the whole engine, neutral style, on one core. Prints a Markdown table and writes JSON.
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from lip_measures import Score, closure_precision, closure_recall, correlation, lag_ms
from players import Player
from recordings import Recording, read_recordings
from score_motion import add_sources, plain, sources_of

from mien.engine.config import MotionConfig
from mien.engine.timebase import MILLISECONDS_PER_FRAME, SAMPLE_RATE

LOOK_AHEADS: Final = (0, 1, 2, 3, 5)
HOPS: Final = (1, 2, 4, 8)
TIMED_S: Final = 2
RUNS: Final = 5
SHOWN: Final = ("jaw_r", "gap_r", "closed_on_pbm", "closures_that_are_pbm")
KOKORO: Final = 24
"""Recordings of Kokoro: half, for the curve has twenty points."""


def accuracy(player: Player, recordings: list[Recording], config: MotionConfig) -> dict[str, Score]:
    """Return what the lips are worth at one setting."""
    mouths = player.mouths([recording.sound for recording in recordings], config)
    row = {}
    for name in ("jaw", "gap"):
        wanted = [getattr(recording, name) for recording in recordings]
        made = [getattr(mouth, name)[: len(t)] for mouth, t in zip(mouths, wanted, strict=True)]
        row[f"{name}_r"] = correlation(made, wanted)
        row[f"{name}_lag_ms"] = lag_ms(made, wanted)
    spoken, gaps = [recording.phones for recording in recordings], [mouth.gap for mouth in mouths]
    return row | {
        "closed_on_pbm": closure_recall(spoken, gaps),
        "closures_that_are_pbm": closure_precision(spoken, gaps),
    }


def cost_ms(player: Player, recording: Recording) -> dict[int, float]:
    """Return milliseconds of one core a frame, by hop: the least of interleaved runs of the whole engine.

    Look-ahead costs nothing but the wait.
    """
    sound = recording.sound[: TIMED_S * SAMPLE_RATE]
    least = dict.fromkeys(HOPS, float("inf"))
    for _ in range(RUNS):
        for hop in HOPS:
            least[hop] = min(least[hop], player.cost_ms(sound, MotionConfig(hop_frames=hop)))
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_sources(parser)
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    arguments = parser.parse_args()

    sets, player = (
        read_recordings(sources_of(arguments), ("grid", "kokoro", "actors")),
        Player(arguments.nets),
    )
    tested = {"grid": sets["grid"], "kokoro": sets["kokoro"][:KOKORO]}
    settings = [(look_ahead, hop) for hop in HOPS for look_ahead in LOOK_AHEADS]
    costs = cost_ms(player, sets["actors"][0])
    rows: list[dict[str, Any]] = []
    columns = (
        "look-ahead",
        "hop",
        "delay",
        "ms a frame",
        *(f"{name} {part}" for name in tested for part in SHOWN),
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for look_ahead, hop in settings:
        config = MotionConfig(look_ahead_frames=look_ahead, hop_frames=hop)
        row = {name: accuracy(player, recordings, config) for name, recordings in tested.items()}
        cells = [
            f"{look_ahead * MILLISECONDS_PER_FRAME} ms",
            f"{hop}",
            f"{config.delay_ms} ms",
            f"{costs[hop]:.1f}",
            *(f"{row[name][part].value:.3f}" for name in tested for part in SHOWN),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)
        rows.append({
            "look_ahead_frames": look_ahead, "hop_frames": hop, "delay_ms": config.delay_ms,
            "ms_a_frame": round(costs[hop], 2), **plain(row),
        })  # fmt: skip
    live = MotionConfig()
    default = {"look_ahead_frames": live.look_ahead_frames, "hop_frames": live.hop_frames}
    arguments.out.write_text(json.dumps({"settings": rows, "default": default}, indent=1))


if __name__ == "__main__":
    main()
