"""What a living face does of itself: it blinks, looks about, breathes, sways, and its lips are never rigid.

It runs under speech and under silence alike, so there is no seam between talking and waiting. Everything is
a function of (seed, frame): events (a blink, a fixation, a breath) follow one another, each drawn from the
seed and its own number, and slow drift is smooth noise between knots. Times are in frames.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.chance import Purpose, generator_at, smooth_noise
from mien.engine.motion import CHANNELS, GAZE_SLICE, INDEX, ROTATION_SLICE, TRANSLATION_SLICE, MotionWindow
from mien.engine.timebase import FRAME_RATE

Motion = NDArray[np.float32]

WIDEST_GAZE: Final = math.radians(15.0)
"""How far the eyes may turn in the head, either way."""

# Angles at which an eyeLook shape reaches weight 1: about the ends of an eye's travel.
_LOOK_SIDE: Final = math.radians(35.0)
_LOOK_UP: Final = math.radians(28.0)
_LOOK_DOWN: Final = math.radians(35.0)

_WAKING_FRAMES: Final = 2 * FRAME_RATE
"""Sway and breath grow from nothing over the first two seconds: the first frame is the photo's own pose."""


@dataclass(frozen=True, slots=True)
class Blink:
    """One blink of both eyes. Lids fall faster than they rise (VanderWerf et al. 2003)."""

    index: int
    start: float
    closing: float
    shut: float
    opening: float
    depth: float

    @property
    def end(self) -> float:
        """When the lids are up again."""
        return self.start + self.closing + self.shut + self.opening

    def closure(self, frame: float) -> float:
        """Return how far the lids are down at a moment, 0..1."""
        since = frame - self.start
        if since <= self.closing:
            return self.depth * _ease(since / self.closing)
        since -= self.closing + self.shut
        return self.depth * (1.0 - _ease(since / self.opening))


@dataclass(frozen=True, slots=True)
class Fixation:
    """The eyes rest on a point after one quick saccade from the last. Angles are the world's, in radians."""

    index: int
    start: float
    end: float
    travel: float
    yaw: float
    pitch: float
    from_yaw: float = 0.0
    from_pitch: float = 0.0

    def gaze(self, frame: float) -> tuple[float, float]:
        """Return yaw and pitch at a moment, in radians."""
        share = _ease((frame - self.start) / self.travel)
        return (
            self.from_yaw + share * (self.yaw - self.from_yaw),
            self.from_pitch + share * (self.pitch - self.from_pitch),
        )

    @property
    def averted(self) -> bool:
        """Whether the eyes look past the viewer."""
        return math.hypot(self.yaw, self.pitch) > _VIEWER_LIMIT


@dataclass(frozen=True, slots=True)
class Breath:
    """One breath: in, and more slowly out."""

    index: int
    start: float
    length: float
    depth: float

    def fullness(self, frame: float) -> float:
        """Return how full the lungs are at a moment, 0..depth."""
        share = (frame - self.start) / self.length
        if share < _INHALE_SHARE:
            return self.depth * _ease(share / _INHALE_SHARE)
        return self.depth * (1.0 - _ease((share - _INHALE_SHARE) / (1.0 - _INHALE_SHARE)))


@dataclass(frozen=True, slots=True)
class IdleState:
    """Where the idle life stands: the next frame and the event of each kind that is on, or next."""

    seed: int
    frame: int
    blink: Blink
    fixation: Fixation
    breath: Breath


def start_idle(seed: int) -> IdleState:
    """Return the state before the first frame: eyes open, on the viewer, lungs empty."""
    return IdleState(
        seed,
        0,
        _draw_blink(seed, 0, after=0.0),
        Fixation(0, 0.0, 0.8 * FRAME_RATE, 1.0, 0.0, 0.0),
        _draw_breath(seed, 0, start=0.0),
    )


def idle_motion(frames: int, state: IdleState) -> tuple[MotionWindow, IdleState]:
    """Make the next frames of idle life, float32[frames, CHANNELS], and the state for the next call.

    Gaze is where the eyes point in the world; `aim_eyes` turns that into the head's terms once the head's
    whole motion is known. `state` is untouched.
    """
    motion = np.zeros((frames, CHANNELS), np.float32)
    for index in range(frames):
        state = _at_frame(state, state.frame)
        motion[index] = _idle_frame(state)
        state = replace(state, frame=state.frame + 1)
    return motion, state


def aim_eyes(motion: Motion) -> Motion:
    """Turn world gaze into eye-in-head gaze and set the eyeLook shapes to match: float32[CHANNELS] each.

    The eyes counter the head (the vestibulo-ocular reflex), so a swaying head keeps its eyes on the viewer.
    """
    aimed = motion.copy()
    pitch, yaw, _ = motion[ROTATION_SLICE]
    gaze_yaw, gaze_pitch = np.clip(motion[GAZE_SLICE] - [yaw, pitch], -WIDEST_GAZE, WIDEST_GAZE)
    aimed[GAZE_SLICE] = gaze_yaw, gaze_pitch
    # The person's left eye is on the picture's right, so a gaze to the right turns it out.
    aimed[INDEX["eyeLookOutLeft"]] = aimed[INDEX["eyeLookInRight"]] = max(gaze_yaw, 0.0) / _LOOK_SIDE
    aimed[INDEX["eyeLookInLeft"]] = aimed[INDEX["eyeLookOutRight"]] = max(-gaze_yaw, 0.0) / _LOOK_SIDE
    aimed[INDEX["eyeLookUpLeft"]] = aimed[INDEX["eyeLookUpRight"]] = max(gaze_pitch, 0.0) / _LOOK_UP
    aimed[INDEX["eyeLookDownLeft"]] = aimed[INDEX["eyeLookDownRight"]] = max(-gaze_pitch, 0.0) / _LOOK_DOWN
    return aimed


# Blinks: 12-20 a minute with a long-tailed spread of pauses.
_BLINK_MEDIAN: Final = 3.5 * FRAME_RATE
_BLINK_SPREAD: Final = 0.55
_BLINK_SHORTEST: Final = 1.0 * FRAME_RATE
_BLINK_LONGEST: Final = 11.0 * FRAME_RATE
_DOUBLE_SHARE: Final = 0.07
_LIDS_FALL: Final = (1.5, 2.1)
_LIDS_SHUT: Final = (1.0, 1.4)
_LIDS_RISE: Final = (2.7, 4.0)

# Gaze: mostly on the viewer, with small shifts over the viewer's face and short looks aside.
_VIEWER_LIMIT: Final = math.radians(2.5)
_AVERT_SHARE: Final = 0.2
_AVERT_SIDE: Final = (math.radians(3.0), math.radians(8.0))
_AVERT_PITCH: Final = (math.radians(-4.0), math.radians(3.0))

_INHALE_SHARE: Final = 0.42
_BREATH_LENGTH: Final = (3.5 * FRAME_RATE, 4.8 * FRAME_RATE)

_SLOW_PERIOD: Final = 4.4 * FRAME_RATE
_QUICK_PERIOD: Final = 1.4 * FRAME_RATE
_TREMOR_PERIOD: Final = 0.3 * FRAME_RATE
_QUICK_SHARE: Final = 0.3
_DRIFTS: Final = 12
_DRIFT_LIMIT: Final = 2.0

_ROTATION_SWAY: Final = np.radians([0.7, 1.0, 0.5])
_TRANSLATION_SWAY: Final = np.array([0.007, 0.004, 0.008])
_TREMOR: Final = math.radians(0.12)

# What a full breath does: the head rises and tips back a little.
_BREATH_PITCH: Final = math.radians(0.35)
_BREATH_RISE: Final = 0.004
_BREATH_NOSTRILS: Final = 0.02


_COMPOSURE: Final = {
    "mouthPressLeft": 0.06,
    "mouthPressRight": 0.06,
    "mouthRollLower": 0.06,
    "mouthRollUpper": 0.05,
    "mouthShrugLower": 0.05,
}
"""A mouth held lightly shut. A photo's own smile or parted lips give way to it as the face wakes, and stay
away: a renderer shows them only while the mouth has no weights at all, and a face that bared its teeth in
every pause would not be silent."""


def _idle_frame(state: IdleState) -> Motion:
    frame = float(state.frame)
    motion = np.zeros(CHANNELS, np.float32)
    waking = _ease(frame / _WAKING_FRAMES)
    drift = waking * _drift(state.seed, frame)
    breath = waking * state.breath.fullness(frame)

    motion[ROTATION_SLICE] = _ROTATION_SWAY * drift[:3]
    motion[TRANSLATION_SLICE] = _TRANSLATION_SWAY * drift[3:6]
    motion[INDEX["headPitch"]] += _BREATH_PITCH * breath
    motion[INDEX["headY"]] -= _BREATH_RISE * breath
    _set_both(motion, "noseSneer", _BREATH_NOSTRILS * breath)

    tremor = _TREMOR * _sway(state.seed, Purpose.TREMOR, _TREMOR_PERIOD, frame)
    motion[GAZE_SLICE] = np.add(state.fixation.gaze(frame), waking * tremor[:2])
    _set_both(motion, "eyeBlink", state.blink.closure(frame))

    # A composed mouth is never quite still: its corners, a press of the lips, a little roll. None parts them.
    for name, weight in _COMPOSURE.items():
        motion[INDEX[name]] = waking * weight
    motion[INDEX["mouthSmileLeft"]] = 0.008 * max(drift[6] + 0.3 * drift[7], 0.0)
    motion[INDEX["mouthSmileRight"]] = 0.008 * max(drift[6] - 0.3 * drift[7], 0.0)
    motion[INDEX["mouthPressLeft"]] += 0.01 * max(drift[8], 0.0)
    motion[INDEX["mouthPressRight"]] += 0.01 * max(drift[8], 0.0)
    motion[INDEX["mouthRollLower"]] += 0.008 * max(drift[9], 0.0)
    motion[INDEX["browInnerUp"]] = 0.025 * max(drift[10], 0.0)
    _set_both(motion, "eyeSquint", 0.03 * max(drift[11], 0.0))
    return motion


def _at_frame(state: IdleState, frame: int) -> IdleState:
    """Replace the events that are over by those that follow."""
    blink, fixation, breath = state.blink, state.fixation, state.breath
    while blink.end <= frame:
        blink = _draw_blink(state.seed, blink.index + 1, after=blink.start)
    while fixation.end <= frame:
        fixation = _draw_fixation(state.seed, fixation)
    while breath.start + breath.length <= frame:
        breath = _draw_breath(state.seed, breath.index + 1, start=breath.start + breath.length)
    return replace(state, blink=blink, fixation=fixation, breath=breath)


def _draw_blink(seed: int, index: int, *, after: float) -> Blink:
    chance = generator_at(seed, Purpose.BLINK, index)
    pause = _log_normal(chance, _BLINK_MEDIAN, _BLINK_SPREAD, _BLINK_SHORTEST, _BLINK_LONGEST)
    if index and chance.random() < _DOUBLE_SHARE:
        pause = chance.uniform(0.34, 0.5) * FRAME_RATE
    # Shut for a whole frame at least, so that no blink falls between two pictures.
    closing, shut, opening = (chance.uniform(*span) for span in (_LIDS_FALL, _LIDS_SHUT, _LIDS_RISE))
    depth = chance.uniform(0.8, 0.95) if chance.random() < 0.1 else 1.0
    return Blink(index, after + pause, closing, shut, opening, depth)


def _draw_fixation(seed: int, last: Fixation) -> Fixation:
    chance = generator_at(seed, Purpose.FIXATION, last.index + 1)
    if not last.averted and chance.random() < _AVERT_SHARE:
        yaw = chance.choice([-1.0, 1.0]) * chance.uniform(*_AVERT_SIDE)
        pitch = chance.uniform(*_AVERT_PITCH)
        length = _log_normal(chance, 0.75 * FRAME_RATE, 0.4, 0.3 * FRAME_RATE, 2.0 * FRAME_RATE)
    else:
        yaw, pitch = np.radians(chance.normal([0.0, -0.2], [0.8, 0.5]).clip(-1.7, 1.7))
        length = _log_normal(chance, 1.4 * FRAME_RATE, 0.6, 0.3 * FRAME_RATE, 5.0 * FRAME_RATE)
    # Bahill et al. 1975: a saccade takes 21 ms and 2.2 ms a degree.
    degrees = math.degrees(math.hypot(yaw - last.yaw, pitch - last.pitch))
    travel = (21.0 + 2.2 * degrees) * FRAME_RATE / 1000.0
    return Fixation(
        last.index + 1, last.end, last.end + travel + length, travel, yaw, pitch, last.yaw, last.pitch
    )


def _draw_breath(seed: int, index: int, *, start: float) -> Breath:
    chance = generator_at(seed, Purpose.BREATH, index)
    return Breath(index, start, chance.uniform(*_BREATH_LENGTH), chance.uniform(0.7, 1.0))


def _drift(seed: int, frame: float) -> NDArray[np.float64]:
    """Return the sways of this moment, float64[12], each about unit scale and within -2.6..2.6."""
    slow = _sway(seed, Purpose.SLOW_DRIFT, _SLOW_PERIOD, frame)
    return slow + _QUICK_SHARE * _sway(seed, Purpose.QUICK_DRIFT, _QUICK_PERIOD, frame)


def _sway(seed: int, purpose: Purpose, period: float, frame: float) -> NDArray[np.float64]:
    noise = smooth_noise(seed, purpose, frame=frame, period=period, channels=_DRIFTS)
    bounded: NDArray[np.float64] = _DRIFT_LIMIT * np.tanh(noise / _DRIFT_LIMIT)
    return bounded


def _log_normal(
    chance: np.random.Generator, median: float, spread: float, shortest: float, longest: float
) -> float:
    return float(np.clip(median * math.exp(spread * chance.standard_normal()), shortest, longest))


def _ease(share: float) -> float:
    """Go from 0 to 1 without a jerk at either end: the minimum-jerk path of Flash and Hogan 1985."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10.0 - 15.0 * share + 6.0 * share**2)


def _set_both(motion: Motion, name: str, value: float) -> None:
    motion[INDEX[f"{name}Left"]] = motion[INDEX[f"{name}Right"]] = value
