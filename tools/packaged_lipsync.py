"""Run PyPI's openfacefx and pylipsync on recordings. For their own environment: pylipsync needs numpy < 2.4.

python packaged_lipsync.py REQUEST.json SOUNDS.f32 ANSWER.npz. SOUNDS: float32 at 16 kHz, one recording after
another. REQUEST: {"shapes": names, "visemes": names, "recordings": [{"samples": n, "phones": [[ARPABET,
start_s, end_s]]}]}. ANSWER, at 25 frames a second: openfacefx float32[frames, shapes], pylipsync
float32[frames, 6], and openfacefx's ARKit weights of the visemes, preset float32[visemes, shapes].
"""

import json
import sys
from pathlib import Path

import numpy as np
from openfacefx.alignment import PhonemeSegment
from openfacefx.pipeline import generate_from_alignment
from openfacefx.retarget import PRESETS, retarget
from pylipsync import PhonemeAnalyzer

SAMPLE_RATE, FRAME_RATE = 16000, 25


def openfacefx_weights(phones, frames, shapes):
    """Return ARKit weights, float32[frames, shapes], of phones with true times, by its own preset."""
    weights = np.zeros((frames, len(shapes)), np.float32)
    if not phones:
        return weights
    track = generate_from_alignment([PhonemeSegment(*phone) for phone in phones])
    middles = (np.arange(frames) + 0.5) / FRAME_RATE
    for channel in retarget(track, PRESETS["arkit"]).channels:
        if channel.name in shapes and channel.keys:
            times, values = zip(*((key.time, key.value) for key in channel.keys), strict=True)
            weights[:, shapes.index(channel.name)] = np.interp(middles, times, values)
    return weights


def pylipsync_targets(analyzer, sound, frames):
    """Return its six targets, float32[frames, 6]."""
    segments = analyzer.extract_phoneme_segments(sound, SAMPLE_RATE, fps=FRAME_RATE)[:frames]
    return np.array([[p.target for p in segment.phonemes] for segment in segments], np.float32)


def arkit_preset(visemes, shapes):
    """Return openfacefx's table from Oculus's visemes to ARKit's shapes, float32[visemes, shapes]."""
    table = np.zeros((len(visemes), len(shapes)), np.float32)
    for place, viseme in enumerate(visemes):
        for shape, weight in PRESETS["arkit"].get(viseme, ()):
            if shape in shapes:
                table[place, shapes.index(shape)] = weight
    return table


def main():
    request, sounds_path, answer = map(Path, sys.argv[1:])
    wanted = json.loads(request.read_text())
    sounds = np.fromfile(sounds_path, np.float32)
    analyzer = PhonemeAnalyzer()
    start, weights, targets = 0, [], []
    for recording in wanted["recordings"]:
        sound = sounds[start : start + recording["samples"]]
        start += len(sound)
        frames = len(sound) * FRAME_RATE // SAMPLE_RATE
        weights.append(openfacefx_weights(recording["phones"], frames, wanted["shapes"]))
        targets.append(pylipsync_targets(analyzer, sound[: frames * SAMPLE_RATE // FRAME_RATE], frames))
    np.savez(
        answer,
        openfacefx=np.concatenate(weights),
        pylipsync=np.concatenate(targets),
        preset=arkit_preset(wanted["visemes"], wanted["shapes"]),
    )


if __name__ == "__main__":
    main()
