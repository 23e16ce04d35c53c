"""Draw docs/motion and put the figures into its README: from the JSON of the three scoring tools.

- curves.png: one held-out sentence, predicted against filmed, with its sounds
- latency-quality.png: what waiting buys (latency_curve.py)
- sync-expert.png: who is in sync, by a lip-sync expert (sync_expert.py)
- README.md: the tables between its markers (score_motion.py and the other two)
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from players import Player, envelope, mouth_of
from recordings import Recording, read_recordings
from score_motion import LIVE, LIVE_ALONE, add_sources, sources_of

from mien.engine.motion import INDEX
from mien.engine.timebase import FRAME_RATE, MILLISECONDS_PER_FRAME

SENTENCE: Final = 7
"""Which of the held-out clips of GRID is drawn, by place: chosen once, not for its looks."""

LEGEND_ROOM: Final = (-0.05, 0.85)
"""Ends of the cosines' axis: no curve comes near the top, so that the legend hides none."""

HEADINGS: Final = {
    "jaw_r": "jaw r",
    "gap_r": "gap r",
    "jaw_r_speaking": "jaw r, speaking",
    "gap_r_speaking": "gap r, speaking",
    "gap_acceleration": "liveliness of the gap",
    "gap_lag_ms": "lag, ms",
    "closed_on_pbm": "closed on p b m",
    "closures_that_are_pbm": "closures that are p b m",
    "rounded_on_oo_w": "rounded on oo, w",
    "lip_teeth_on_f_v": "lip-teeth on f, v",
    "lip_distance": "lip distance, %",
    "lip_distance_scaled": "at its best gain, %",
}
SET_TITLES: Final = {
    "grid": "Held-out clips of GRID's talker, filmed",
    "kokoro": "Kokoro voices never heard, articulation authored from true phoneme times",
    "languages": "The same voices in five more languages",
    "new languages": "The same voices in Hindi and Italian, which no training has",
    "readers": "Accented readers never heard, authored from forced alignment",
    "facegood": "FACEGOOD, an animator's jaw",
}


def draw_curves(path: Path, recording: Recording, player: Player) -> None:
    """Draw one sentence: jaw and gap against the film, lips' shapes, brows and head."""
    motion = player.play(recording.sound)
    mouth = mouth_of(motion)
    seconds = (np.arange(len(motion)) + 0.5) / FRAME_RATE
    figure, axes = pyplot.subplots(4, 1, figsize=(11, 8), sharex=True, layout="constrained")
    for axis, name, made, wanted in (
        (axes[0], "jawOpen", mouth.jaw, recording.jaw),
        (axes[1], "lip gap", mouth.gap, recording.gap),
    ):
        axis.plot(seconds, made, "C0", lw=2, label=f"{name}, mien live")
        if wanted is not None:
            axis.plot(seconds[: len(wanted)], wanted, "k", lw=1, ls="--", label=f"{name}, filmed")
        axis.set(ylabel=name)
    for name, column in (
        ("mouthPucker", "C2"),
        ("mouthFunnel", "C4"),
        ("mouthRollLower", "C1"),
        ("mouthClose", "C3"),
    ):
        axes[2].plot(seconds, motion[:, INDEX[name]], column, label=name)
    for name, column in (("browInnerUp", "C5"), ("browOuterUpLeft", "C6"), ("browDownLeft", "C8")):
        axes[3].plot(seconds, motion[:, INDEX[name]], column, label=name)
    axes[3].plot(seconds, 10 * motion[:, INDEX["headPitch"]], "C7", label="head pitch, 0.1 rad")
    axes[2].set(ylabel="lips' shapes")
    axes[3].set(ylabel="brows, head", xlabel="seconds")
    sound = envelope(recording.sound, len(motion))
    for axis in axes:
        axis.fill_between(seconds, sound / sound.max() * axis.get_ylim()[1], color="0.92", zorder=0)
        axis.legend(ncols=4, fontsize=8, loc="upper right")
    write_phones(axes[0], recording)
    axes[0].set_title(f"GRID {recording.name}, held out; grey: loudness; red: p, b, m", fontsize=10, pad=16)
    axes[0].set_xlim(0, len(motion) / FRAME_RATE)
    figure.savefig(path, dpi=80)


def write_phones(axis: Axes, recording: Recording) -> None:
    """Write each sound over its middle, and mark those that need closed lips."""
    for phone in recording.phones:
        if phone.symbol == "_":
            continue
        axis.annotate(
            phone.symbol,
            ((phone.start + phone.end) / 2, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
        )
        if phone.symbol in "pbm":
            for one in axis.figure.axes:
                one.axvspan(phone.start, phone.end, color="C3", alpha=0.12, lw=0)


def draw_latency(path: Path, latency: dict[str, Any]) -> None:
    """Draw accuracy against delay, one line a hop, and mark the live default."""
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
    panels = (
        ("grid", ("jaw_r", "gap_r"), "GRID, filmed: r of jaw (solid) and gap (dashed)"),
        ("kokoro", ("jaw_r", "gap_r"), "Kokoro, voices never heard: r of jaw and gap"),
        ("kokoro", ("closed_on_pbm", "closures_that_are_pbm"), "Kokoro: closed on p b m; closures that are"),
    )
    hops = sorted({row["hop_frames"] for row in latency["settings"]})
    for axis, (name, parts, title) in zip(axes, panels, strict=True):
        for place, hop in enumerate(hops):
            rows = [row for row in latency["settings"] if row["hop_frames"] == hop]
            cost = np.mean([row["ms_a_frame"] for row in rows])
            for part, line in zip(parts, ("-", "--"), strict=True):
                values = np.array([row[name][part] for row in rows])
                label = f"hop {hop}: {cost:.1f} ms a frame" if line == "-" else None
                delays = [row["delay_ms"] for row in rows]
                axis.plot(delays, values[:, 0], f"C{place}{line}o", ms=4, label=label)
                if hop == 1:
                    axis.fill_between(delays, values[:, 1], values[:, 2], color="C0", alpha=0.1, lw=0)
        for row in latency["settings"]:
            if all(row[key] == value for key, value in latency["default"].items()):
                for part in parts:
                    axis.plot(row["delay_ms"], row[name][part][0], "k*", ms=13, zorder=5)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("delay of a hop's first frame: look-ahead + hop - 1, ms")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8, title="look-ahead 0, 40, 80, 120, 200 ms", title_fontsize=8)
    figure.suptitle(
        "Latency against quality; the star is the live default, shading the 95 % interval at hop 1",
        fontsize=11,
    )
    figure.savefig(path, dpi=80)


def draw_sync(path: Path, sync: dict[str, Any]) -> None:
    """Draw the expert's cosine over the sound's shift."""
    shifts = np.array(sync["shifts"]) * MILLISECONDS_PER_FRAME
    shown = [name for name in ("grid", "kokoro", "readers") if name in sync["sets"]]
    figure, axes = pyplot.subplots(1, len(shown), figsize=(13, 4), sharey=True, layout="constrained")
    for axis, name in zip(axes, shown, strict=True):
        rows = sync["sets"][name]
        for place, (system, row) in enumerate(rows.items()):
            peak = row["clips_that_peak_at_zero"][0]
            axis.plot(
                shifts, row["cosine_by_shift"], f"C{place}-o", ms=4, label=f"{system}: {peak:.0%} peak at 0"
            )
        axis.axvline(0, color="0.7", lw=1, zorder=0)
        axis.set_title(SET_TITLES[name].split(",")[0], fontsize=10)
        axis.set_xlabel("sound moved later by, ms")
        axis.set_ylim(*LEGEND_ROOM)
        axis.legend(fontsize=8, loc="upper center")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean cosine of sound and mouth")
    figure.savefig(path, dpi=80)


def score_tables(scores: dict[str, Any]) -> str:
    """Return a Markdown table for each set: systems down, measures across."""
    parts = []
    for name, rows in scores["sets"].items():
        present = [key for key in HEADINGS if any(key in row for row in rows.values())]
        parts.append(f"\n**{SET_TITLES[name]}** ({scores['recordings'][name]} recordings)\n")
        parts.append(f"| | {' | '.join(HEADINGS[key] for key in present)} |\n|{'---|' * (len(present) + 1)}")
        for system, row in rows.items():
            cells = [cell(row.get(key), key) for key in present]
            parts.append(
                f"| {f'**{system}**' if system in (LIVE, LIVE_ALONE) else system} | {' | '.join(cells)} |"
            )
    return "\n".join(parts)


def other_table(scores: dict[str, Any]) -> str:
    """Return what is left: live over offline, spoilt sound, emotions, silence."""
    lines = ["\n| | |", "|---|---|"]
    for name, row in scores["live over offline"].items():
        shares = f"jaw {cell(row['jaw_r_share'], 'r')}, gap {cell(row['gap_r_share'], 'r')}"
        lines.append(f"| live setting's r as a share of whole windows', {name} | {shares} |")
    for name, row in scores.get("spoilt sound, grid", {}).items():
        changes = f"jaw {cell(row['jaw_r_change'], 'r')}, gap {cell(row['gap_r_change'], 'r')}"
        lines.append(f"| {name}: change of r, grid | {changes} |")
    for name, row in scores.get("emotions", {}).items():
        lips = row["lips at 3"]
        changes = f"jaw {cell(lips['jaw_r_change'], 'r')}, gap {cell(lips['gap_r_change'], 'r')}"
        lines.append(f"| {name}, intensity 3: change of r, grid | {changes} |")
    for name, row in scores.get("other trainings, grid", {}).items():
        lines.append(
            f"| training {name}: r, grid | jaw {cell(row['jaw_r'], 'r')}, gap {cell(row['gap_r'], 'r')} |"
        )
    silences = scores["silence, share of speech"]
    moved = ", ".join(f"{name} {row['motion']:.1%}" for name, row in silences.items())
    lines.append(f"| lip motion in silence, of speech's | {moved} |")
    return "\n".join(lines)


def latency_table(latency: dict[str, Any]) -> str:
    """Return one line a setting."""
    columns = ("look-ahead", "hop", "delay, ms", "ms a frame", "GRID jaw, gap r", "Kokoro jaw, gap r")
    lines = [f"\n| {' | '.join(columns)} | closed on p b m, right |", f"|{'---|' * (len(columns) + 1)}"]
    for row in latency["settings"]:
        grid, kokoro = row["grid"], row["kokoro"]
        pair = [f"{some['jaw_r'][0]:.3f}, {some['gap_r'][0]:.3f}" for some in (grid, kokoro)]
        closed = f"{kokoro['closed_on_pbm'][0]:.2f}, {kokoro['closures_that_are_pbm'][0]:.2f}"
        star = " (live)" if all(row[key] == value for key, value in latency["default"].items()) else ""
        lines.append(
            f"| {row['look_ahead_frames'] * MILLISECONDS_PER_FRAME} ms{star} | {row['hop_frames']} "
            f"| {row['delay_ms']} | {row['ms_a_frame']:.1f} | {pair[0]} | {pair[1]} | {closed} |"
        )
    return "\n".join(lines)


def sync_table(sync: dict[str, Any]) -> str:
    """Return one line a system and set."""
    lines = [
        "\n| | cosine at zero | stands out by | clips that peak at 0 | within a frame |",
        "|---|---|---|---|---|",
    ]
    keys = ("cosine_at_zero", "confidence", "clips_that_peak_at_zero", "clips_that_peak_within_one")
    for name, rows in sync["sets"].items():
        for system, row in rows.items():
            lines.append(f"| {name}: {system} | {' | '.join(cell(row[key], key) for key in keys)} |")
    return "\n".join(lines)


def cell(value: list[float] | None, key: str) -> str:
    """Write a figure and its interval."""
    if value is None or not np.isfinite(value[0]):
        return ""
    digits = 0 if key.endswith("ms") else 2
    middle, low, high = (f"{part:.{digits}f}" for part in value)
    return f"{middle} [{low}, {high}]"


def fill(page: Path, marker: str, text: str) -> None:
    """Put text between a page's markers <!-- name --> and <!-- end name -->."""
    pattern = re.compile(f"(<!-- {marker} -->).*?(<!-- end {marker} -->)", re.DOTALL)
    filled, count = pattern.subn(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page.read_text())
    if count != 1:
        raise SystemExit(f"{page} has no place for {marker}")
    page.write_text(filled)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_sources(parser)
    parser.add_argument("--scores", type=Path, required=True, help="JSON of tools/score_motion.py")
    parser.add_argument("--latency", type=Path, required=True, help="JSON of tools/latency_curve.py")
    parser.add_argument("--sync", type=Path, required=True, help="JSON of tools/sync_expert.py")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/motion"), help="folder of the pictures and README"
    )
    arguments = parser.parse_args()

    mpl.use("Agg")
    scores, latency, sync = (
        json.loads(path.read_text()) for path in (arguments.scores, arguments.latency, arguments.sync)
    )
    sentence = read_recordings(sources_of(arguments), ("grid",))["grid"][SENTENCE]
    draw_curves(arguments.out / "curves.png", sentence, Player(arguments.nets))
    draw_latency(arguments.out / "latency-quality.png", latency)
    draw_sync(arguments.out / "sync-expert.png", sync)
    page = arguments.out / "README.md"
    fill(page, "scores", score_tables(scores))
    fill(page, "other", other_table(scores))
    fill(page, "latency", latency_table(latency))
    fill(page, "sync", sync_table(sync))


if __name__ == "__main__":
    main()
