"""Score the motion nets on speech and faces they never saw, as a live stream would use them.

Everything goes through mien.engine.performer: exported ONNX, hop 1, look-ahead 2. Prints a table, beside a
baseline in the same run (a jaw that follows the sound's envelope) and a reference that knows more than any
live system can (the authored articulation played with the true phoneme times). Writes JSON and a plot.

- GRID: clips held out by the hash of their name; truth is the filmed jaw and inner-lip gap. Same talker as in
  training.
- Kokoro: six held-out voices; phoneme times are known to the synthesiser.
- readers: held-out people of speechocean762; phoneme times by forced alignment, so closures are less sure.
- actors: emotional speech, English and Mandarin, no phoneme times.
Correlations are over all frames of a set; brackets are 95 % intervals over clips (bootstrap).
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from articulation import PLACE as ARTICULATOR
from articulation import VISEMES, Phone, articulate, pause, phones_from_arpabet, phones_from_kokoro
from augmentation import Sound, add_background, coloured_noise, quiet_stretches, read_sound, set_level
from build_motion_data import reader_of, speech_path
from grid_mouth import held_out, read_filmed
from matplotlib import pyplot
from numpy.typing import NDArray

from mien.engine.config import MotionConfig
from mien.engine.emotion import Emotion, Style
from mien.engine.head import mouth_opening
from mien.engine.lips import MOUTH_INDEX, OnnxLipRefiner
from mien.engine.motion import INDEX
from mien.engine.performer import Performer
from mien.engine.sampler import OnnxDenoiser
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE, SAMPLES_PER_FRAME

CLOSED_SHARE: Final = 0.05
"""Lips count as closed under this share of the 95th percentile of the gap in speech."""

OPEN_VOWELS: Final = frozenset("AIWOæɑɛaʌ")
CHUNK: Final = 320
"""Samples in a push: 20 ms, as WebRTC delivers."""

Track = NDArray[np.float64]
Motion = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Test:
    """One recording, with what is known about it."""

    name: str
    sound: Sound
    phones: Sequence[Phone] = ()
    jaw: Track | None = None
    gap: Track | None = None


class Player:
    """Runs recordings through the exported nets as live streams."""

    def __init__(self, nets: Path) -> None:
        self._lips, self._denoiser = OnnxLipRefiner(nets), OnnxDenoiser(nets)
        self.seconds = 0.0
        self.frames = 0

    def play(self, sound: Sound, *, style: Style | None = None, config: MotionConfig | None = None) -> Motion:
        """Return a recording's motion, float32[frames, 60]. Lips do not depend on the sampler's steps."""
        settings = config or MotionConfig(steps=1, guidance_scale=1.0)
        performer = Performer(settings, seed=0, denoiser=self._denoiser, lip_refiner=self._lips)
        if style:
            performer.set_style(style)
        began = time.thread_time()
        made = [performer.push(sound[start : start + CHUNK]) for start in range(0, len(sound), CHUNK)]
        motion = np.concatenate([*made, performer.flush()])
        self.seconds += time.thread_time() - began
        self.frames += len(motion)
        return motion


def envelope(sound: Sound, frames: int) -> Track:
    """Return the RMS of each video frame's sound at a common level of speech, smoothed over three frames."""
    sound = set_level(sound, -24)
    padded = np.zeros(frames * SAMPLES_PER_FRAME)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    rms = np.sqrt((padded.reshape(frames, -1) ** 2).mean(axis=1))
    return np.convolve(rms, np.ones(3) / 3, "same")


def loudness(sound: Sound, frames: int) -> Track:
    """Return the envelope as loud as it sounds: the power of 0.6 of Stevens' law."""
    return envelope(sound, frames) ** 0.6


def correlation(made: Sequence[Track], wanted: Sequence[Track]) -> float:
    return float(np.corrcoef(np.concatenate(made), np.concatenate(wanted))[0, 1])


def interval(made: Sequence[Track], wanted: Sequence[Track]) -> tuple[float, float]:
    """Return the 95 % interval of the correlation over clips drawn with replacement."""
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(300):
        chosen = rng.integers(len(made), size=len(made))
        draws.append(correlation([made[k] for k in chosen], [wanted[k] for k in chosen]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def lag_frames(made: Sequence[Track], wanted: Sequence[Track]) -> float:
    """Return by how many frames `made` comes after `wanted`, to a fraction: the peak of the correlation."""
    reach = 5
    scores = [
        correlation([track[reach + lag : len(track) - reach + lag] for track in made],
                    [track[reach : len(track) - reach] for track in wanted])
        for lag in range(-reach, reach + 1)
    ]  # fmt: skip
    peak = int(np.argmax(scores))
    if not 0 < peak < 2 * reach:
        return float(peak - reach)
    before, at, after = scores[peak - 1 : peak + 2]
    return peak - reach + 0.5 * (before - after) / (before - 2 * at + after)


def acceleration_ratio(made: Sequence[Track], wanted: Sequence[Track]) -> float:
    """Return the mean acceleration against the truth's, both scaled to the same deviation: 1 is as alive."""

    def mean(tracks: Sequence[Track]) -> float:
        bend = np.abs(np.concatenate([np.diff(track, n=2) for track in tracks])).mean()
        return float(bend / np.concatenate(tracks).std())

    return mean(made) / mean(wanted)


def span(phone: Phone, frames: int) -> slice:
    """Return the frames during a phone and one to each side."""
    return slice(
        max(0, int(phone.start * FRAME_RATE) - 1), min(frames, int(np.ceil(phone.end * FRAME_RATE)) + 1)
    )


def closures(tests: Sequence[Test], gaps: Sequence[Track]) -> tuple[float, float, int]:
    """Return the share of p, b, m with closed lips, of open vowels wrongly shut, and the count of p, b, m."""
    limit = CLOSED_SHARE * float(np.percentile(np.concatenate(gaps), 95))
    shut, wrong = [], []
    for test, gap in zip(tests, gaps, strict=True):
        for phone in test.phones:
            frames = span(phone, len(gap))
            if frames.stop - frames.start < 2:
                continue
            if phone.symbol in "pbm":
                shut.append(gap[frames].min() < limit)
            elif phone.symbol in OPEN_VOWELS and phone.end - phone.start > 0.06:
                middle = min(int((phone.start + phone.end) / 2 * FRAME_RATE), len(gap) - 1)
                wrong.append(gap[middle] < limit)
    return float(np.mean(shut)), float(np.mean(wrong)), len(shut)


def shape_contrast(
    tests: Sequence[Test], motions: Sequence[Motion], symbols: str, names: Sequence[str]
) -> float:
    """Return the mean of the named channels' sum in these sounds over their mean in all other speech."""
    inside, outside = [], []
    for test, motion in zip(tests, motions, strict=True):
        track = motion[:, [INDEX[name] for name in names]].sum(axis=1)
        for phone in test.phones:
            if phone.symbol == "_":
                continue
            middle = min(int((phone.start + phone.end) / 2 * FRAME_RATE), len(track) - 1)
            (inside if phone.symbol in symbols else outside).append(float(track[middle]))
    return float(np.mean(inside) / max(np.mean(outside), 1e-3))


def read_tests(arguments: argparse.Namespace) -> tuple[dict[str, list[Test]], Track]:
    """Return the test sets, and the authored targets for the reference."""
    data: Path = arguments.data
    phones = json.loads(arguments.phones.read_text())
    filmed = read_filmed(arguments.landmarks, data / "grid/blendshapes_pose_25fps.npz")
    sets: dict[str, list[Test]] = {"GRID": [], "Kokoro": [], "readers": [], "actors": []}
    for clip, mouth in sorted(filmed.items()):
        if held_out(clip):
            sound = read_sound(data / f"grid/audio/{clip}.flac")
            frames = min(len(mouth.jaw), len(sound) // SAMPLES_PER_FRAME)
            said = pause(phones_from_arpabet(phones[f"grid/{clip}"]), [])
            sets["GRID"].append(Test(clip, sound, said, mouth.jaw[:frames], mouth.gap[:frames]))
    for line in (arguments.speech / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["held_out"]:
            sound = read_sound(arguments.speech / f"{entry['name']}.flac")
            said = pause(phones_from_kokoro(entry["phonemes"]), quiet_stretches(sound))
            sets["Kokoro"].append(Test(f"{entry['name']} {entry['voice']}", sound, said))
    for name, symbols in phones.items():
        if not name.startswith("grid/") and held_out(reader_of(name)):
            sound = read_sound(speech_path(data, name))
            said = pause(phones_from_arpabet(symbols), quiet_stretches(sound, below_db=30))
            sets["readers"].append(Test(name, sound, said))
    for path in sorted((data / "speech/a2f_samples/example_audio").glob("*.flac")):
        sets["actors"].append(Test(path.stem, read_sound(path)[: 15 * SAMPLE_RATE]))
    with np.load(arguments.motion) as archive:
        targets = archive["targets"]
    if targets.shape[0] != len(VISEMES):
        raise SystemExit(f"{arguments.motion} was built with other visemes; build it again")
    return sets, targets


def gap_of(motion: Motion) -> Track:
    return mouth_opening(motion).astype(np.float64)


def score_film(tests: Sequence[Test], motions: Sequence[Motion]) -> dict[str, object]:
    """Compare motion with filmed jaws and lips."""
    jaws = [
        motion[: len(test.jaw), INDEX["jawOpen"]].astype(np.float64)
        for test, motion in _filmed(tests, motions)
    ]
    gaps = [gap_of(motion)[: len(test.gap)] for test, motion in _filmed(tests, motions)]
    true_jaws, true_gaps = [test.jaw for test in tests], [test.gap for test in tests]
    return {
        "jaw_r": correlation(jaws, true_jaws),
        "jaw_r_interval": interval(jaws, true_jaws),
        "gap_r": correlation(gaps, true_gaps),
        "gap_r_interval": interval(gaps, true_gaps),
        "gap_lag_frames": lag_frames(gaps, true_gaps),
        "jaw_acceleration": acceleration_ratio(jaws, true_jaws),
        "gap_acceleration": acceleration_ratio(gaps, true_gaps),
    }


def _filmed(tests: Sequence[Test], motions: Sequence[Motion]) -> list[tuple[Test, Motion]]:
    return list(zip(tests, motions, strict=True))


def score_sound(tests: Sequence[Test], jaws: Sequence[Track], gaps: Sequence[Track]) -> dict[str, object]:
    """Compare jaw and lip gap with the sound's envelope: its RMS, and how loud that sounds.

    No mouth can reach 1: m, n, oo and s are loud with the lips nearly shut. The filmed talker says how far
    real ones go.
    """
    rms = [envelope(test.sound, len(gap)) for test, gap in zip(tests, gaps, strict=True)]
    loud = [loudness(test.sound, len(gap)) for test, gap in zip(tests, gaps, strict=True)]
    return {
        "jaw_rms_r": correlation(jaws, rms),
        "jaw_loudness_r": correlation(jaws, loud),
        "jaw_loudness_r_interval": interval(jaws, loud),
        "gap_rms_r": correlation(gaps, rms),
        "gap_loudness_r": correlation(gaps, loud),
        "gap_loudness_r_interval": interval(gaps, loud),
        "jaw_lag_frames": lag_frames(jaws, loud),
        "gap_lag_frames": lag_frames(gaps, loud),
    }


def score_closures(tests: Sequence[Test], gaps: Sequence[Track]) -> dict[str, object]:
    shut, wrong, count = closures(tests, gaps)
    return {"closed": shut, "open_vowels_shut": wrong, "closures": count}


def score_silence(player: Player, speech: Sequence[Motion]) -> dict[str, object]:
    """Return the lips' motion and gap under silence, as shares of their RMS in speech."""
    rng = np.random.default_rng(0)
    seconds = 12
    quiet = {
        "digital": np.zeros(seconds * SAMPLE_RATE, np.float32),
        "-60 dB hiss": coloured_noise(rng, seconds * SAMPLE_RATE, 0.0) * np.float32(10**-3),
        "-45 dB room": coloured_noise(rng, seconds * SAMPLE_RATE, 1.0) * np.float32(10 ** (-45 / 20)),
        "-35 dB room": coloured_noise(rng, seconds * SAMPLE_RATE, 1.0) * np.float32(10 ** (-35 / 20)),
    }

    def moving(motions: Sequence[Motion]) -> float:
        return float(
            np.sqrt(np.mean(np.concatenate([np.diff(m[:, MOUTH_INDEX], axis=0) for m in motions]) ** 2))
        )

    def gap(motions: Sequence[Motion]) -> float:
        return float(np.sqrt(np.mean(np.concatenate([gap_of(m) for m in motions]) ** 2)))

    result: dict[str, object] = {}
    for name, sound in quiet.items():
        motion = player.play(sound)[10:]
        result[name] = {"motion": moving([motion]) / moving(speech), "gap": gap([motion]) / gap(speech)}
    return result


def score_emotions(player: Player, tests: Sequence[Test]) -> dict[str, object]:
    """Return, for each emotion at 1, 2 and 3, how far the face goes from neutral and whether lips close."""
    channels = [
        index for name, index in INDEX.items() if name.startswith(("brow", "cheek", "nose", "eyeSq", "eyeW"))
    ]
    corners = [INDEX[name] for name in INDEX if name.startswith(("mouthSmile", "mouthFrown", "mouthStretch"))]
    live = MotionConfig()
    rest = [player.play(test.sound, config=live) for test in tests]
    result: dict[str, object] = {}
    for emotion in Emotion:
        if emotion is Emotion.NEUTRAL:
            continue
        row: dict[str, list[float]] = {"face": [], "corners": [], "closed": []}
        for intensity in (1.0, 2.0, 3.0):
            motions = [player.play(t.sound, style=Style(emotion, intensity), config=live) for t in tests]
            apart = np.concatenate([a[10:] - b[10:] for a, b in zip(motions, rest, strict=True)]).mean(axis=0)
            row["face"].append(float(np.abs(apart[channels]).sum()))
            row["corners"].append(float(np.abs(apart[corners]).sum()))
            row["closed"].append(closures(tests, [gap_of(motion) for motion in motions])[0])
        result[emotion.value] = row
    return result


def plot(path: Path, tests: Sequence[tuple[Test, Motion]]) -> None:
    """Draw predicted curves against the truth, or against the sound where nobody was filmed."""
    mpl.use("Agg")
    figure, axes = pyplot.subplots(len(tests), 1, figsize=(13, 3 * len(tests)), constrained_layout=True)
    for axis, (test, motion) in zip(axes, tests, strict=True):
        seconds = (np.arange(len(motion)) + 0.5) / FRAME_RATE
        sound = envelope(test.sound, len(motion))
        axis.fill_between(seconds, sound / sound.max(), color="0.9", label="sound")
        axis.plot(seconds, gap_of(motion) / 0.12, "C0", label="lip gap")
        axis.plot(seconds, motion[:, INDEX["jawOpen"]], "C1", label="jawOpen")
        axis.plot(seconds, motion[:, INDEX["mouthPucker"]], "C2", lw=0.8, label="mouthPucker")
        axis.plot(seconds, motion[:, INDEX["mouthRollLower"]], "C5", lw=0.8, label="mouthRollLower")
        axis.plot(seconds, motion[:, INDEX["mouthSmileLeft"]], "C6", lw=0.8, label="mouthSmileLeft")
        if test.gap is not None and test.jaw is not None:
            axis.plot(seconds[: len(test.gap)], test.gap, "C0:", label="filmed gap")
            axis.plot(seconds[: len(test.jaw)], test.jaw, "C1:", label="filmed jaw")
        for phone in test.phones:
            if phone.symbol != "_":
                axis.text((phone.start + phone.end) / 2, 1.25, phone.symbol, ha="center")
            if phone.symbol in "pbm":
                axis.axvspan(phone.start, phone.end, color="C3", alpha=0.12)
        axis.set(title=test.name, ylim=(0, 1.35), xlim=(0, min(seconds[-1], 5)))
    axes[0].legend(ncols=4, fontsize=8, loc="upper right")
    figure.savefig(path, dpi=80)


def show(title: str, scores: dict[str, object]) -> None:
    """Print one line of the table."""

    def text(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.3f}"
        if isinstance(value, tuple | list):
            return "[" + ", ".join(text(part) for part in value) + "]"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key}: {text(part)}" for key, part in value.items()) + "}"
        return str(value)

    print(f"{title:34}", "  ".join(f"{key} {text(value)}" for key, value in scores.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the shared data folder")
    parser.add_argument("--landmarks", type=Path, required=True, help="npz of tools/label_grid.py")
    parser.add_argument("--phones", type=Path, required=True, help="JSON of tools/align_speech.py")
    parser.add_argument("--speech", type=Path, required=True, help="folder of tools/speak_kokoro.py")
    parser.add_argument("--motion", type=Path, required=True, help="npz of tools/build_motion_data.py")
    parser.add_argument(
        "--nets", type=Path, default=Path("engine/assets"), help="folder of the exported nets"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON to write; the plot goes beside it")
    parser.add_argument("--quick", action="store_true", help="leave out emotions, noise and speed")
    arguments = parser.parse_args()

    sets, targets = read_tests(arguments)
    player = Player(arguments.nets)
    motions = {name: [player.play(test.sound) for test in tests] for name, tests in sets.items()}
    scores: dict[str, object] = {}

    def note(title: str, row: dict[str, object]) -> None:
        scores[title] = row
        show(title, row)

    grid = sets["GRID"]
    note(f"GRID, {len(grid)} clips", score_film(grid, motions["GRID"]))
    for name, tracks in reference_tracks(grid, targets).items():
        jaws = [track[: len(test.jaw)] for test, track in zip(grid, tracks, strict=True)]
        truth = [(test.jaw, test.gap) for test in grid]
        note(f"  {name}", {"jaw_r": correlation(jaws, [jaw for jaw, _ in truth]),
                           "gap_r": correlation(jaws, [gap for _, gap in truth])})  # fmt: skip
    for name in ("GRID", "Kokoro", "readers", "actors"):
        gaps = [gap_of(motion) for motion in motions[name]]
        jaws = [motion[:, INDEX["jawOpen"]].astype(np.float64) for motion in motions[name]]
        note(f"{name} against the sound", score_sound(sets[name], jaws, gaps))
        if name == "GRID":
            filmed = [(test.jaw, test.gap) for test in grid]
            note("  filmed mouth", score_sound(grid, [jaw for jaw, _ in filmed], [gap for _, gap in filmed]))
        if name in ("GRID", "Kokoro", "readers"):
            note(f"{name} closures", score_closures(sets[name], gaps))
            if name == "Kokoro":
                for reference, tracks in reference_tracks(sets[name], targets).items():
                    note(f"  {reference}", score_closures(sets[name], tracks))
    note("Kokoro shapes, times the mean", {
        "round on u w": shape_contrast(sets["Kokoro"], motions["Kokoro"], "uw", ["mouthPucker"]),
        "wide on i": shape_contrast(
            sets["Kokoro"], motions["Kokoro"], "i", ["mouthSmileLeft", "mouthStretchLeft"]),
        "lip to teeth on f v": shape_contrast(sets["Kokoro"], motions["Kokoro"], "fv", ["mouthRollLower"]),
    })  # fmt: skip
    note("silence, share of speech", score_silence(player, motions["Kokoro"]))
    if not arguments.quick:
        rng = np.random.default_rng(0)
        for ratio in (15.0, 5.0):
            noisy = [player.play(add_background(rng, test.sound, ratio, [])) for test in grid]
            note(f"GRID with noise at {ratio:.0f} dB", score_film(grid, noisy))
        for level in (-45.0, -12.0):
            moved = [player.play(set_level(test.sound, level).clip(-1, 1)) for test in grid]
            note(f"GRID at {level:.0f} dB", score_film(grid, moved))
        for look_ahead in (0, 1, 3):
            setting = MotionConfig(steps=1, guidance_scale=1.0, look_ahead_frames=look_ahead)
            note(f"GRID, look-ahead {look_ahead}", score_film(
                grid, [player.play(test.sound, config=setting) for test in grid]))  # fmt: skip
        for emotion, row in score_emotions(player, sets["Kokoro"][:4]).items():
            note(f"emotion {emotion}, at 1 2 3", dict(row))  # type: ignore[call-overload]
        player.seconds, player.frames = 0.0, 0
        player.play(sets["actors"][0].sound, config=MotionConfig())
        note("speed", {"ms_a_frame": 1000 * player.seconds / player.frames})
    arguments.out.write_text(json.dumps(scores, indent=1))
    shown = [("GRID", 0), ("GRID", 7), ("Kokoro", 0), ("Kokoro", 9), ("readers", 1)]
    plot(arguments.out.with_suffix(".png"), [(sets[name][k], motions[name][k]) for name, k in shown])


def reference_tracks(tests: Sequence[Test], targets: Track) -> dict[str, list[Track]]:
    """Return the baseline's and the reference's mouth opening for each recording."""
    tracks: dict[str, list[Track]] = {"baseline: envelope jaw": [], "reference: true phonemes": []}
    for test in tests:
        frames = len(test.sound) // SAMPLES_PER_FRAME
        sound = loudness(test.sound, frames)
        tracks["baseline: envelope jaw"].append(sound / max(sound.max(), 1e-9))
        curves = articulate(test.phones, frames, targets)
        tracks["reference: true phonemes"].append(curves[:, ARTICULATOR["gap"]])
    return tracks


if __name__ == "__main__":
    main()
