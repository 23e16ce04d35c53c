"""Faces become styles: a smile is happy, whoever moves more has more manner, and turns are measured."""

from itertools import pairwise

import numpy as np
import pytest

from mien.engine.emotion import EMOTIONS, MANNER_SLICE, Emotion
from mien.engine.emotion_space import intensity_of
from mien.engine.motion import CHANNELS, INDEX
from mien.engine.style_encoder import READ_SHAPES, head_turns, load_maps, read_face, read_film, read_track

SMILE = {"mouthSmile": 0.6, "cheekSquint": 0.5, "eyeSquint": 0.3}
FACES = {
    Emotion.HAPPY: SMILE,
    Emotion.SURPRISED: {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 0.6},
    Emotion.ANGRY: {"browDown": 0.8, "eyeSquint": 0.4, "noseSneer": 0.4, "mouthPress": 0.3, "mouthFrown": 0.3,
                    "eyeWide": 0.1},
    Emotion.SAD: {"browInnerUp": 0.7, "mouthFrown": 0.6, "mouthShrugLower": 0.3, "browDown": 0.2},
    Emotion.DISGUSTED: {"noseSneer": 0.8, "mouthUpperUp": 0.4, "browDown": 0.4, "eyeSquint": 0.4,
                        "cheekSquint": 0.4},
}  # fmt: skip


def track_of(face: dict[str, float], frames: int = 100) -> np.ndarray:
    motion = np.zeros((frames, CHANNELS), np.float32)
    for name, value in face.items():
        for channel in (name,) if name in INDEX else (f"{name}Left", f"{name}Right"):
            motion[:, INDEX[channel]] = value
    return motion


@pytest.mark.parametrize("emotion", FACES)
def test_a_track_shows_its_emotion(emotion: Emotion) -> None:
    style = read_track(track_of(FACES[emotion]))
    assert EMOTIONS[int(style[: len(EMOTIONS)].argmax())] is emotion
    assert intensity_of(style) > 1.0


def test_a_stronger_face_reads_stronger() -> None:
    levels = [
        intensity_of(read_track(track_of({name: share * value for name, value in SMILE.items()})))
        for share in (0.0, 0.4, 0.8, 1.2)
    ]
    assert all(more > less for less, more in pairwise(levels))
    assert levels[0] < 0.5


def test_blinks_do_not_count() -> None:
    motion = track_of(SMILE)
    plain = read_track(motion)
    motion[::10, INDEX["eyeBlinkLeft"]] = motion[::10, INDEX["eyeBlinkRight"]] = 1.0
    motion[::10, INDEX["browDownLeft"]] = 1.0
    np.testing.assert_allclose(read_track(motion)[: len(EMOTIONS)], plain[: len(EMOTIONS)], atol=1e-5)


def test_movement_becomes_manner() -> None:
    sway = np.sin(np.arange(100) / 6)
    manners = []
    for size in (0.002, 0.02, 0.2):
        motion = track_of({})
        motion[:, INDEX["headYaw"]] = size * sway
        manners.append(read_track(motion)[MANNER_SLICE][0])
    assert manners[0] == -1.0
    assert manners[0] < manners[1] < manners[2] == 1.0
    assert not read_track(track_of(SMILE, frames=3))[MANNER_SLICE].any()


def test_the_side_that_shows_more_is_named() -> None:
    left = track_of({f"{name}Left": value for name, value in SMILE.items()})
    right = track_of({f"{name}Right": value for name, value in SMILE.items()})
    assert read_track(track_of(SMILE))[MANNER_SLICE][2] == pytest.approx(0.0, abs=0.02)
    assert read_track(left)[MANNER_SLICE][2] == pytest.approx(-read_track(right)[MANNER_SLICE][2], abs=0.5)
    assert read_track(left)[MANNER_SLICE][2] >= 0.0 >= read_track(right)[MANNER_SLICE][2]


def test_turns_of_the_head_are_measured() -> None:
    rest = np.random.default_rng(0).normal(0, 50, (478, 3)).astype(np.float32)
    turned = []
    for angle in (0.0, 0.1, -0.3):
        cosine, sine = np.cos(angle), np.sin(angle)
        matrix = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        turned.append(rest @ matrix.T + 10)
    turns = head_turns(np.stack(turned).astype(np.float32))
    np.testing.assert_allclose(np.abs(turns[:, 1]), [0.0, 0.1, 0.3], atol=1e-3)
    assert turns[1, 1] * turns[2, 1] < 0
    np.testing.assert_allclose(turns[:, [0, 2]], 0.0, atol=1e-3)


def test_a_photo_and_a_film_are_read_alike() -> None:
    mean = load_maps()["pictures"].mean
    scores = dict(zip(READ_SHAPES, mean.tolist(), strict=True))
    scores |= {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.1, "browDownLeft": 0.0}
    photo = read_face(scores)
    frames = np.zeros((4, 52), np.float32)
    for name, value in scores.items():
        frames[:, INDEX[name]] = value
    film = read_film(frames, np.random.default_rng(0).normal(0, 50, (4, 478, 3)).astype(np.float32))
    assert EMOTIONS[int(photo[: len(EMOTIONS)].argmax())] is Emotion.HAPPY
    np.testing.assert_allclose(photo, film, atol=1e-5)
    assert not photo[MANNER_SLICE].any()
