"""Time in whole numbers: samples of sound and frames of video on one media clock."""

from typing import Final

SAMPLE_RATE: Final = 16_000
"""Samples a second of the speech that drives a face, mono."""

FRAME_RATE: Final = 25
"""Frames a second of motion and of video."""

SAMPLES_PER_FRAME: Final = SAMPLE_RATE // FRAME_RATE
"""640 samples of speech belong to each frame: frame k shows samples 640 k to 640 k + 639."""

MILLISECONDS_PER_FRAME: Final = 1000 // FRAME_RATE
"""40 ms."""
