"""From the rate that is played to the rate that the engine hears: 48 kHz to 16 kHz."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mien.engine.timebase import SAMPLE_RATE
from mien.streaming.jitter import PLAYBACK_RATE

FACTOR: Final = PLAYBACK_RATE // SAMPLE_RATE
_TAPS: Final = 97
DELAY_SAMPLES: Final = _TAPS // 2
"""48 samples at 48 kHz: the engine hears 1 ms late."""


def _low_pass(cutoff: float) -> NDArray[np.float32]:
    """Windowed sinc (Kaiser, beta 6) with its -6 dB point at `cutoff` Hz and gain 1 at 0 Hz, float32[97]."""
    position = np.arange(_TAPS) - _TAPS // 2
    taps = np.sinc(2 * cutoff / PLAYBACK_RATE * position) * np.kaiser(_TAPS, 6.0)
    return np.asarray(taps / taps.sum(), np.float32)


_FILTER: Final = _low_pass(7600.0)


@dataclass(frozen=True, slots=True)
class DecimationState:
    """All that one call hands to the next: the filter's memory, float32[96]."""

    memory: NDArray[np.float32] = field(default_factory=lambda: np.zeros(_TAPS - 1, np.float32))


def decimate(
    samples: NDArray[np.float32], state: DecimationState
) -> tuple[NDArray[np.float32], DecimationState]:
    """Filter and keep every third sample: float32[3 n] at 48 kHz in, float32[n] at 16 kHz out.

    Raises ValueError if the length is no multiple of 3.
    """
    if len(samples) % FACTOR:
        raise ValueError(f"{len(samples)} samples are no multiple of {FACTOR}")
    heard = np.concatenate([state.memory, samples])
    windows = np.lib.stride_tricks.sliding_window_view(heard, _TAPS)[::FACTOR]
    return windows @ _FILTER, DecimationState(heard[len(heard) - (_TAPS - 1) :])
