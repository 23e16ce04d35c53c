"""Is somebody speaking? Google's WebRTC voice activity detector with a hang-over."""

from typing import Final

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from mien.engine.timebase import SAMPLE_RATE

_WINDOW: Final = SAMPLE_RATE * 20 // 1000
"""320 samples, 20 ms: one of the three lengths that the detector takes."""


class VoiceActivity:
    """Tells speech from its absence, block by block."""

    def __init__(self, *, strictness: int = 2, onset_windows: int = 3, hangover_windows: int = 20) -> None:
        """Speech begins after `onset_windows` of 20 ms in a row and ends after `hangover_windows` without.

        strictness: 0 (takes much for speech) .. 3 (takes little).
        """
        self._detector = webrtcvad.Vad(strictness)
        self._onset = onset_windows
        self._hangover = hangover_windows
        self._run = 0
        self._active = False
        self._rest = np.empty(0, np.float32)

    @property
    def active(self) -> bool:
        """Whether somebody was speaking at the end of the last block."""
        return self._active

    def push(self, pcm: NDArray[np.float32]) -> bool:
        """Hear float32[n] at 16 kHz, -1..1, any n, and return `active`."""
        heard = np.concatenate([self._rest, pcm])
        whole = len(heard) // _WINDOW * _WINDOW
        self._rest = heard[whole:]
        for window in heard[:whole].reshape(-1, _WINDOW):
            self._hear(window)
        return self._active

    def _hear(self, window: NDArray[np.float32]) -> None:
        quantised = (np.clip(window, -1, 1) * 32767).astype("<i2")
        speech = self._detector.is_speech(quantised.tobytes(), SAMPLE_RATE)
        self._run = self._run + 1 if speech != self._active else 0
        if self._run >= (self._hangover if self._active else self._onset):
            self._active = speech
            self._run = 0
