"""What the shipped motion nets must do, on sound that is made here and on clips they never saw."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mien.engine.config import MotionConfig
from mien.engine.emotion import STYLE_SIZE, Emotion, Style
from mien.engine.features import ROWS_PER_FRAME, silent_features
from mien.engine.head import mouth_opening
from mien.engine.lips import MOUTH_NAMES, load_lip_refiner
from mien.engine.motion import INDEX
from mien.engine.performer import Performer
from mien.engine.sampler import load_denoiser
from mien.engine.timebase import FRAME_RATE, SAMPLE_RATE

LIPS_ALONE = MotionConfig(steps=1, guidance_scale=1.0)


def play(sound: np.ndarray, style: Style | None = None, config: MotionConfig = LIPS_ALONE) -> np.ndarray:
    performer = Performer(config, seed=0)
    if style:
        performer.set_style(style)
    return np.concatenate([performer.push(sound.astype(np.float32)), performer.flush()])


def hiss(seconds: int, level_db: float) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(seconds * SAMPLE_RATE) * 10 ** (level_db / 20)


def test_nets_agree_on_the_window() -> None:
    assert load_lip_refiner().window_frames == load_denoiser().card.window_frames


def test_mouth_weights_stay_in_range_whatever_is_heard() -> None:
    refiner = load_lip_refiner()
    rng = np.random.default_rng(0)
    for scale in (0.3, 3.0):
        features = scale * rng.standard_normal((ROWS_PER_FRAME * refiner.window_frames, 64))
        mouth = refiner.articulate(features.astype(np.float32), np.zeros(STYLE_SIZE, np.float32))
        assert mouth.shape == (refiner.window_frames, len(MOUTH_NAMES))
        assert mouth.min() >= 0.0
        assert mouth.max() <= 1.0


def test_no_style_leaves_silence_without_expression() -> None:
    refiner = load_lip_refiner()
    mouth = refiner.articulate(silent_features(refiner.window_frames), np.zeros(STYLE_SIZE, np.float32))
    assert mouth.max() < 0.03


@pytest.mark.parametrize("level_db", [-70.0, -55.0])
def test_hiss_does_not_open_the_mouth(level_db: float) -> None:
    motion = play(hiss(4, level_db))
    assert mouth_opening(motion[10:]).max() < 0.01


def test_a_smile_grows_with_intensity_and_keeps_the_lips_together() -> None:
    smile = INDEX["mouthSmileLeft"]
    grown = []
    for intensity in (1.0, 2.0, 3.0):
        motion = play(np.zeros(3 * SAMPLE_RATE), Style(Emotion.HAPPY, intensity))[FRAME_RATE:]
        grown.append(motion[:, smile].mean())
        assert mouth_opening(motion).max() < 0.01
    assert grown[0] + 0.05 < grown[1] < grown[2] - 0.05


def test_surprise_lifts_the_brows_and_anger_lowers_them() -> None:
    config = MotionConfig()
    sound = hiss(3, -60.0)
    surprised = play(sound, Style(Emotion.SURPRISED, 3.0), config)[FRAME_RATE:]
    angry = play(sound, Style(Emotion.ANGRY, 3.0), config)[FRAME_RATE:]
    assert surprised[:, INDEX["browInnerUp"]].mean() > 0.4 > angry[:, INDEX["browInnerUp"]].mean()
    assert angry[:, INDEX["browDownLeft"]].mean() > 0.4 > surprised[:, INDEX["browDownLeft"]].mean()


@pytest.mark.shared
def test_jaw_follows_filmed_clips_it_never_saw(shared_data: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    with np.load(shared_data / "grid/blendshapes_pose_25fps.npz") as archive:
        clips, offsets = [str(clip) for clip in archive["clips"]], archive["offsets"]
        jaw = archive["bs"][:, [str(name) for name in archive["names"]].index("jawOpen")].astype(np.float64)
    made, filmed = [], []
    for row, clip in enumerate(clips):
        # The split of tools/grid_mouth.py.
        if int.from_bytes(hashlib.sha256(clip.encode()).digest()[:4], "big") % 16 or len(made) == 12:
            continue
        sound, _ = soundfile.read(shared_data / f"grid/audio/{clip}.flac", dtype="float32")
        motion = play(sound)[:, INDEX["jawOpen"]]
        truth = jaw[offsets[row] : offsets[row + 1]]
        frames = min(len(motion), len(truth)) - 1
        made.append(motion[:frames])
        filmed.append(0.25 * truth[:frames] + 0.75 * truth[1 : frames + 1])
    assert np.corrcoef(np.concatenate(made), np.concatenate(filmed))[0, 1] > 0.8
