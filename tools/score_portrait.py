"""Score how well portraits hold up: identity, round trip, stability and rest.

    python tools/score_portrait.py                           # every sitter, all four measures
    python tools/score_portrait.py --only iris --measures rest,stability --out build/scores.json

- identity: the cosine of SFace between the photo and frames of real speech in eight styles; and, one by one,
  what each shape at full weight and each extreme pose costs.
- round trip: shapes are swept over 0..1, and the landmark model reads the frames, twice: each part of the
  face from its own pixels (tools/face_reader.py, which says why, and what it can show), and, beside it, as
  the model's own scores of whole frames have it. Spearman's rank correlation of what was asked and read, and
  how far each untouched group rose, in shares of the range that the group itself covers when it is swept.
  A group that falls is listed apart: no weight is below 0, and a mouth that a smile widens is not "less than
  unpuckered". A photo whose lips are parted is swept from a composed mouth, as sessions show it.
- stability: constant motion gives the same bytes; what a sway of 2 degrees changes outside the head's reach;
  the largest step of a slow sweep of every channel against its median step.
- rest: how far the frame at rest is from the photo, in grey levels.

Identity needs SFace and YuNet and speech from ../shared/data (for evaluation only), the round trip the
landmark model; what is missing is said and left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from augmentation import read_sound
from cases import EVERY_SHAPE, POSES, Case, motion_of
from face_reader import GROUPS, FaceReader
from numpy.typing import NDArray
from sitters import DATA, choose_sitters, open_landmarker, open_sitters, open_view

from mien.engine.config import MotionConfig
from mien.engine.emotion import EMOTIONS, Style
from mien.engine.motion import CHANNELS, SHAPES, neutral_motion
from mien.engine.performer import Performer
from mien.engine.portrait import Portrait
from mien.engine.renderer import Renderer, open_renderer

Picture = NDArray[np.uint8]
Motion = NDArray[np.float32]
Scores = dict[str, Any]
"""Figures by name, ready for JSON."""

MODELS: Final = DATA / "models" / "face_recognition"
SPEECH: Final = DATA / "speech" / "a2f_samples" / "example_audio"

CLIPS: Final = ("Mark_neutral", "Claire_neutral", "Mark_joy", "Claire_anger")
"""One for two styles each, in turn."""

CLIP_SECONDS: Final = 6
EVERY: Final = 5
"""Frames between two that identity is read on."""

INTENSITY: Final = 2.0

STEPS: Final = 11
"""Of a sweep that the landmark model reads."""

SHAKES: Final = ((2, 0, 0, 1), (0, 2, 0, 1), (0, 0, 2, 1), (0, 0, -2, 1), (0, 0, 0, 0.97), (1, -2, 1, 1.03))
"""Shifts right and down in pixels, turns in degrees and scales, to see how sure the landmark model is."""

SWEEP: Final = 31
"""Frames of a slow sweep."""

BLOCK: Final = 16
"""Side of the squares on which a jump is looked for, in pixels."""

COMPOSED: Final[Case] = {"mouthPress": 0.125}
"""Lips held lightly shut, just enough that a photo's own smile and parted lips have given way."""

POSE_RANGES: Final[dict[str, float]] = {
    "headPitch": 15,
    "headYaw": 20,
    "headRoll": 15,
    "headX": 0.1,
    "headY": 0.1,
    "headZ": 0.15,
    "gazeYaw": 20,
    "gazePitch": 14,
}
"""How far to either side each pose channel is swept: degrees or face widths."""

ONE_SIDED: Final = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
"""Shapes whose two sides are two directions, never asked for at once."""

SUBSTEPS: Final = 5
POP_LEVELS: Final = 5.0
"""A change of a square's mean by so many grey levels at once is seen."""

EDGE_REACH: Final = 0.07
"""How far a sway moves the crown, which lies at most 1.4 heights of the face above the neck's joint."""

SWAY: Final = 2.0
"""Degrees."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One portrait, ready to be drawn."""

    portrait: Portrait
    renderer: Renderer

    def draw(self, case: Case) -> Picture:
        """Return the frame of a case, RGB uint8[height, width, 3]."""
        return self.renderer.render(motion_of(case))


# ---- identity


class Recogniser:
    """SFace on the faces that YuNet finds."""

    def __init__(self) -> None:
        self._detector = cv2.FaceDetectorYN.create(
            str(MODELS / "face_detection_yunet_2023mar.onnx"), "", (320, 320), 0.6
        )
        self._net = cv2.FaceRecognizerSF.create(str(MODELS / "face_recognition_sface_2021dec.onnx"), "")

    def describe(self, picture: Picture) -> NDArray[np.float32] | None:
        """Return the unit vector of the largest face, or None where no face is found."""
        image = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        self._detector.setInputSize((image.shape[1], image.shape[0]))
        _, faces = self._detector.detect(image)
        if faces is None:
            return None
        face = max(faces, key=lambda row: float(row[2] * row[3]))
        vector = np.asarray(self._net.feature(self._net.alignCrop(image, face)), np.float32).ravel()
        return vector / np.float32(np.linalg.norm(vector))


def talking(clips: tuple[str, ...] = CLIPS) -> dict[str, Motion]:
    """Return the motion of real speech, one clip a style, float32[frames, CHANNELS]."""
    motions = {}
    for index, emotion in enumerate(EMOTIONS):
        sound = read_sound(SPEECH / f"{clips[index % len(clips)]}.flac")[: 16000 * CLIP_SECONDS]
        performer = Performer(MotionConfig(), seed=index)
        performer.set_style(Style(emotion, INTENSITY))
        motions[str(emotion)] = np.concatenate([performer.push(sound), performer.flush()])
    return motions


def score_identity(subject: Subject, recogniser: Recogniser, motions: dict[str, Motion]) -> Scores:
    own = recogniser.describe(subject.draw({}))
    if own is None:
        return {"face_found": False}

    def alike(picture: Picture) -> float:
        vector = recogniser.describe(picture)
        return float("nan") if vector is None else float(own @ vector)

    by_style = {
        style: [alike(subject.renderer.render(frame)) for frame in motion[EVERY // 2 :: EVERY]]
        for style, motion in motions.items()
    }
    every = np.concatenate([np.array(values) for values in by_style.values()])
    cases = {name: alike(subject.draw(case)) for name, case in (EVERY_SHAPE | POSES).items()}
    return {
        "face_found": True,
        "frames": len(every),
        "lost": int(np.isnan(every).sum()),
        "mean": float(np.nanmean(every)),
        "percentile_5": float(np.nanpercentile(every, 5)),
        "least": float(np.nanmin(every)),
        "by_style": {style: float(np.nanmean(values)) for style, values in by_style.items()},
        "by_case": cases,
    }


# ---- round trip


def score_round_trip(subject: Subject) -> Scores:
    """Sweep each group, read every group in both ways, and correlate."""
    start = COMPOSED if subject.portrait.lips_parted else {}
    rest = subject.draw(start)
    reader = FaceReader(open_landmarker(), rest)
    parts, whole = {}, {}
    for asked, names in GROUPS.items():
        frames = [
            subject.draw(start | dict.fromkeys(names, float(weight))) for weight in np.linspace(0, 1, STEPS)
        ]
        parts[asked] = _table(reader.read(frame) for frame in frames)
        whole[asked] = _table(_scores(frame) for frame in frames)
    shaken = [rest, *_shaken(rest)]
    return {
        "parts": _summary(parts, _table(reader.read_whole(picture) for picture in shaken)),
        "scores": _summary(whole, _table(_scores(picture) for picture in shaken)),
    }


def _summary(read: dict[str, NDArray[np.float64]], shaken: NDArray[np.float64]) -> Scores:
    """Say how well sweeps were read, each float64[STEPS, groups], and how surely: shaken, float64[n, groups].

    unsure: how far the reading of the photo moves when the picture is only shaken a little. A portrait that
    moves a group less than that has not been shown to move it.
    """
    weights = np.linspace(0, 1, STEPS)
    spans = np.array(
        [
            np.nanmax(read[name][:, column]) - np.nanmin(read[name][:, column])
            for column, name in enumerate(GROUPS)
        ]
    )
    shares = {
        # Where the face was lost, all of it counts as moved.
        asked: np.nan_to_num((values - values[0]) / np.maximum(spans, 1e-6), nan=1.0)
        for asked, values in read.items()
    }
    unsure = np.nanmax(np.abs(shaken - shaken[0]), axis=0) / np.maximum(spans, 1e-6)
    return {
        "correlation": {
            name: _spearman(weights, read[name][:, column]) for column, name in enumerate(GROUPS)
        },
        "range": _by_group(spans),
        "rose": {asked: _by_group(np.maximum(values, 0).max(axis=0)) for asked, values in shares.items()},
        "fell": {asked: _by_group(-np.minimum(values, 0).min(axis=0)) for asked, values in shares.items()},
        "unsure": _by_group(unsure),
    }


def _by_group(values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(GROUPS, values.tolist(), strict=True))


def _table(readings: Iterable[dict[str, float]]) -> NDArray[np.float64]:
    return np.array([list(reading.values()) for reading in readings])


def _shaken(photo: Picture) -> Iterator[Picture]:
    height, width = photo.shape[:2]
    for x, y, degrees, scale in SHAKES:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
        matrix[:, 2] += (x, y)
        shaken = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(shaken, np.uint8)


def _scores(picture: Picture) -> dict[str, float]:
    faces = open_landmarker().detect(picture)
    if not faces:
        return dict.fromkeys(GROUPS, float("nan"))
    return {
        group: float(np.mean([faces[0].shapes[name] for name in names])) for group, names in GROUPS.items()
    }


def _spearman(asked: NDArray[np.float64], read: NDArray[np.float64]) -> float:
    """Rank correlation, ties sharing their ranks; what was not read counts as nothing moved."""
    values = np.nan_to_num(read, nan=float(np.nanmin(read)) if np.isfinite(read).any() else 0.0)
    ranks = np.array([np.mean(np.flatnonzero(np.sort(values) == value)) for value in values])
    return float(np.corrcoef(asked, ranks)[0, 1]) if np.ptp(ranks) else 0.0


# ---- stability


def score_stability(subject: Subject, motions: dict[str, Motion]) -> Scores:
    jumps = sorted(sweep_jumps(subject), key=lambda jump: -jump["ratio"])
    return {
        "constant_motion_same_bytes": _same_bytes(subject),
        "backdrop": subject.portrait.has_backdrop,
        "sway": {axis: _sway(subject, axis) for axis in ("headYaw", "headPitch", "headRoll")},
        "jumps": jumps,
        "speech": speech_pops(subject, motions),
    }


def _same_bytes(subject: Subject) -> bool:
    """Draw rest and some motions again and again, others between, on this renderer and on a fresh one."""
    random = np.random.default_rng(3)
    fresh = open_view(subject.portrait)
    rest = subject.draw({})
    same = True
    for _ in range(4):
        motion = random.uniform(-0.2, 0.6, CHANNELS).astype(np.float32)
        first = subject.renderer.render(motion)
        subject.renderer.render(random.uniform(0, 1, CHANNELS).astype(np.float32))
        same &= np.array_equal(subject.renderer.render(motion), first)
        same &= np.array_equal(fresh.render(motion), first)
        same &= np.array_equal(subject.draw({}), rest)
    fresh.close()
    return bool(same)


def head_reach(portrait: Portrait, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark where a swaying head may change the picture.

    Where the person is told from the background, that is the person and what two degrees can move an edge by.
    Elsewhere it is the hull of the face, 1.75 times as large, for hair and ears, and all that lies below the
    jaw within twice the face's width, for neck and shoulders.
    """
    height, width = shape
    scale = width / portrait.picture.shape[1]
    if portrait.has_backdrop:
        person = (portrait.matte > 0).astype(np.uint8)
        margin = 2 * round(EDGE_REACH * float(np.ptp(portrait.landmarks[:468, 1]))) + 1
        person = cv2.dilate(person, np.ones((margin, margin), np.uint8))
        return np.asarray(cv2.resize(person, (width, height), interpolation=cv2.INTER_NEAREST), bool)
    points = portrait.landmarks[:468, :2] * scale
    low, high = points.min(axis=0), points.max(axis=0)
    centre = np.array([(low[0] + high[0]) / 2, low[1] + 0.45 * (high[1] - low[1])])
    hull = cv2.convexHull(np.round(centre + 1.75 * (points - centre)).astype(np.int32))
    reach = np.zeros((height, width), np.uint8)
    cv2.fillPoly(reach, [hull], 1)
    breadth = 2.0 * (high[0] - low[0])
    left, right = int(max(centre[0] - breadth, 0)), int(min(centre[0] + breadth, width))
    reach[int(high[1]) :, left:right] = 1
    return reach.astype(bool)


def _sway(subject: Subject, axis: str) -> Scores:
    rest = subject.draw({}).astype(int)
    outside = ~head_reach(subject.portrait, rest.shape[:2])
    most = np.zeros(rest.shape[:2], int)
    for angle in (-SWAY, SWAY):
        most = np.maximum(most, np.abs(subject.draw({axis: angle}).astype(int) - rest).max(axis=2))
    outside_change = most[outside] if outside.any() else np.zeros(1, int)
    return {
        "outside_share": float(outside.mean()),
        "changed_share": float((outside_change > 0).mean()),
        "changed_over_8_share": float((outside_change > 8).mean()),
        "largest": int(outside_change.max()),
    }


def sweep_jumps(subject: Subject) -> Iterator[Scores]:
    """Sweep every channel slowly, both sides at once; yield its largest step against its median one."""
    shapes = dict.fromkeys(
        shape if shape in ONE_SIDED else shape.removesuffix("Left").removesuffix("Right") for shape in SHAPES
    )
    sweeps: dict[str, list[Case]] = {
        shape: [{shape: float(weight)} for weight in np.linspace(0, 1, SWEEP)] for shape in shapes
    }
    for name, reach in POSE_RANGES.items():
        sweeps[name] = [{name: float(value)} for value in np.linspace(-reach, reach, SWEEP)]
    for name, cases in sweeps.items():
        steps = []
        places = []
        last = subject.draw(cases[0])
        for case in cases[1:]:
            drawn = subject.draw(case)
            blocks = _block_means(drawn, last)
            steps.append(float(blocks.max()))
            places.append(np.unravel_index(int(blocks.argmax()), blocks.shape))
            last = drawn
        middle, at = float(np.median(steps)), int(np.argmax(steps))
        yield {
            "channel": name,
            "ratio": max(steps) / max(middle, 0.5),
            "largest": max(steps),
            "median": middle,
            "at": next(iter(cases[at + 1].values())),
            "place": [int(places[at][1]) * BLOCK, int(places[at][0]) * BLOCK],
        }


def _block_means(a: Picture, b: Picture) -> NDArray[np.float32]:
    """Return the mean difference of each square of BLOCK pixels, in grey levels."""
    apart = cv2.absdiff(a, b).astype(np.float32)
    height, width = (side // BLOCK for side in apart.shape[:2])
    blocks = cv2.resize(apart, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(blocks, np.float32).mean(axis=2)


def speech_pops(subject: Subject, motions: dict[str, Motion]) -> Scores:
    """Look between frames of real speech: what moves at a steady pace must not change all at once.

    The way from one frame to the next is drawn in SUBSTEPS. A pop is a square that changes by more than
    POP_LEVELS grey levels in one of them, and then more than in all the others together.
    """
    shares = np.linspace(0, 1, SUBSTEPS + 1, dtype=np.float32)
    pairs, pops = 0, []
    for style, motion in motions.items():
        for index in range(EVERY, len(motion) - 1, 2 * EVERY):
            before, after = motion[index], motion[index + 1]
            drawn = [subject.renderer.render(before + share * (after - before)) for share in shares]
            steps = np.stack([_block_means(a, b) for a, b in pairwise(drawn)])
            largest = steps.max(axis=0)
            popped = np.where(largest > steps.sum(axis=0) - largest, largest, 0)
            pairs += 1
            if popped.max() > POP_LEVELS:
                row, column = np.unravel_index(int(popped.argmax()), popped.shape)
                pops.append([style, index, float(popped.max()), [int(column) * BLOCK, int(row) * BLOCK]])
    return {"pairs": pairs, "pops": sorted(pops, key=lambda pop: -pop[2])}


# ---- rest


def score_rest(subject: Subject) -> Scores:
    """Compare with the photo at its own size, where nothing is scaled."""
    renderer = open_renderer(subject.portrait)
    apart = np.abs(renderer.render(neutral_motion(1)[0]).astype(int) - subject.portrait.picture)
    renderer.close()
    return {"largest": int(apart.max()), "share_over_1": float((apart.max(axis=2) > 1).mean())}


# ---- report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated: ids, portrait files, photos")
    parser.add_argument("--measures", default="rest,identity,round_trip,stability")
    parser.add_argument("--out", type=Path, default=Path("build/portrait_scores.json"))
    parser.add_argument("--table", type=Path, help="write all four measures as a Markdown table too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    measures = _measures(set(options.measures.split(",")))
    scores: dict[str, Scores] = {}
    for sitter, portrait in open_sitters(choose_sitters(options.only)):
        subject = Subject(portrait, open_view(portrait))
        scores[sitter.id] = {"kind": sitter.kind} | {
            name: measure(subject) for name, measure in measures.items()
        }
        subject.renderer.close()
        report(sitter.id, scores[sitter.id])
    report_all(scores)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    if options.table:
        options.table.write_text(table(scores), encoding="utf-8")


def _measures(wanted: set[str]) -> dict[str, Callable[[Subject], Scores]]:
    motions = talking() if wanted & {"identity", "stability"} else {}
    known: dict[str, Callable[[Subject], Scores]] = {
        "rest": score_rest,
        "round_trip": score_round_trip,
        "stability": lambda subject: score_stability(subject, motions),
    }
    if "identity" in wanted:
        recogniser = Recogniser()
        known["identity"] = lambda subject: score_identity(subject, recogniser, motions)
    return {name: measure for name, measure in known.items() if name in wanted}


def report(name: str, scores: Scores) -> None:
    print(f"\n== {name} ({scores['kind']})")
    if rest := scores.get("rest"):
        print(f"rest: largest difference from the photo {rest['largest']}")
    identity = scores.get("identity")
    if identity and not identity["face_found"]:
        print("identity: YuNet finds no face in the photo itself")
    elif identity:
        styles = ", ".join(f"{style} {value:.2f}" for style, value in identity["by_style"].items())
        worst = sorted(identity["by_case"].items(), key=lambda item: item[1])[:8]
        print(
            f"identity: mean {identity['mean']:.3f}, 5th percentile {identity['percentile_5']:.3f}, "
            f"least {identity['least']:.3f}, {identity['lost']} of {identity['frames']} without a face\n"
            f"  {styles}\n"
            f"  costliest: {', '.join(f'{case} {value:.2f}' for case, value in worst)}"
        )
    for title, trip in scores.get("round_trip", {}).items():
        print(f"round trip, {title}: rank correlation; how far others rise, in shares of their range")
        print(" " * 25 + " ".join(f"{name:>11}" for name in GROUPS))
        for asked in GROUPS:
            moved = " ".join(f"{trip['rose'][asked][name]:11.2f}" for name in GROUPS)
            print(f"  {asked:14} {trip['correlation'][asked]:6.2f}  {moved}")
        unsure = " ".join(f"{trip['unsure'][name]:11.2f}" for name in GROUPS)
        print(f"  {'a shaken photo':21}  {unsure}")
    if stability := scores.get("stability"):
        same, backdrop = stability["constant_motion_same_bytes"], stability["backdrop"]
        print(f"stability: constant motion, same bytes: {same}; told from its background: {backdrop}")
        for axis, sway in stability["sway"].items():
            changed, over = 100 * sway["changed_share"], 100 * sway["changed_over_8_share"]
            print(
                f"  sway {axis:9} changes {changed:.2f} % of the {100 * sway['outside_share']:.0f} % "
                f"outside its reach, {over:.2f} % by over 8 levels, at most {sway['largest']}"
            )
        for jump in stability["jumps"][:8]:
            times, levels, at = jump["ratio"], jump["largest"], jump["at"]
            print(
                f"  {jump['channel']:20} largest step {times:5.1f} x the median ({levels:.1f} levels) "
                f"at {at:.2f}, near {jump['place']}"
            )
        report_speech(stability["speech"])


def report_speech(speech: Scores) -> None:
    pops = "; ".join(
        f"{style} {index}: {levels:.0f} near {at}" for style, index, levels, at in speech["pops"][:4]
    )
    print(f"  between frames of speech: {len(speech['pops'])} pops in {speech['pairs']} pairs  {pops}")


def report_all(scores: dict[str, Scores]) -> None:
    """Print what holds over all portraits."""
    print("\n== all")
    found = [entry["identity"] for entry in scores.values() if entry.get("identity", {}).get("face_found")]
    if found:
        mean = np.mean([entry["mean"] for entry in found])
        low = min(entry["percentile_5"] for entry in found)
        print(f"identity: mean of means {mean:.3f}, lowest 5th percentile {low:.3f}")
        names = found[0]["by_case"]
        cases = {name: float(np.nanmean([entry["by_case"][name] for entry in found])) for name in names}
        worst = sorted(cases.items(), key=lambda item: item[1])[:12]
        print("  costliest: " + ", ".join(f"{case} {value:.2f}" for case, value in worst))
    for title in ("parts", "scores"):
        report_trips(
            title, [entry["round_trip"][title] for entry in scores.values() if "round_trip" in entry]
        )


def report_trips(title: str, trips: list[Scores]) -> None:
    if trips:
        print(f"round trip, {title}: median over portraits (and the lowest correlation)")
    for asked in GROUPS if trips else ():
        ranks = [trip["correlation"][asked] for trip in trips]
        rose = ", ".join(
            f"{name} {np.median([trip['rose'][asked][name] for trip in trips]):.2f}"
            for name in GROUPS
            if name != asked
        )
        print(f"  {asked:12} {np.median(ranks):.2f} (lowest {min(ranks):.2f}); raises {rose}")


def table(scores: dict[str, Scores]) -> str:
    """Return one row a portrait, in Markdown; every measure must have been taken."""
    lines = [
        "# Scores",
        "",
        "One row a portrait, by `python tools/score_portrait.py --table`, which says what each column means.",
        "Each part of the face is read from its own pixels, the rest of the picture being the photo; the "
        "landmark model's scores are read from whole frames, in which it guesses one part from another: "
        "tools/face_reader.py says how that was settled.",
        "",
        "| portrait | identity: mean, 5th percentile | rank, each part of the face read alone: "
        + ", ".join(GROUPS)
        + " | others that rose by over 10 % (± what shaking the photo moves them) "
        "| rank by the landmark model's scores | others that rose by over 10 % in its scores (±) "
        "| background changed by a sway | largest step of a sweep | pops in speech | rest |",
        "|" + "---|" * 10,
    ]
    lines += [
        f"| {name} ({entry['kind']}) | " + " | ".join(_cells(entry)) + " |" for name, entry in scores.items()
    ]
    return "\n".join(lines) + "\n"


def _cells(entry: Scores) -> list[str]:
    identity, trip, stability = entry["identity"], entry["round_trip"], entry["stability"]
    alike = (
        f"{identity['mean']:.2f}, {identity['percentile_5']:.2f}"
        if identity["face_found"]
        else "no face found"
    )
    swayed = max(sway["changed_share"] for sway in stability["sway"].values())
    jump, speech = stability["jumps"][0], stability["speech"]
    return [
        alike,
        *_round_trip_cells(trip["parts"]),
        *_round_trip_cells(trip["scores"]),
        f"{100 * swayed:.2f} %" + ("" if stability["backdrop"] else ", not told from the person"),
        f"{jump['ratio']:.1f} x the median ({jump['channel']})",
        f"{len(speech['pops'])} of {speech['pairs']}",
        str(entry["rest"]["largest"]),
    ]


def _round_trip_cells(trip: Scores) -> list[str]:
    rose = [
        f"{asked} -> {name} {100 * share:.0f} % (± {100 * trip['unsure'][name]:.0f})"
        for asked, shares in trip["rose"].items()
        for name, share in shares.items()
        if name != asked and share > 0.1
    ]
    return [", ".join(f"{rank:.2f}" for rank in trip["correlation"].values()), ", ".join(rose) or "none"]


if __name__ == "__main__":
    main()
