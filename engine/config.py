"""Settings of the engine: frozen, in units, checked when built."""

from dataclasses import dataclass

from mien.engine.errors import ConfigError
from mien.engine.timebase import MILLISECONDS_PER_FRAME


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionConfig:
    """How motion is made from speech. Raises ConfigError where a setting is outside its range."""

    hop_frames: int = 1
    """Frames shown of each sampled window, 1..16. A hop of h costs h - 1 frames of waiting and saves work."""

    look_ahead_frames: int = 2
    """Frames of sound that must follow a frame before it is made, 0..8. Two are 80 ms."""

    history_frames: int = 0
    """Frames already shown that a window is conditioned on, 0..64, as far as the window has room.

    None are needed: the start noise belongs to the frame, so one window goes on where another ends.
    """

    steps: int = 4
    """Denoising steps a window (K), 1..50."""

    guidance_scale: float = 1.2
    """Weight of the style in classifier-free guidance, 0..4.

    At 1 the guidance is off and costs nothing, and a face shows what it was trained on; at intensity 3, 1.25
    shows a seventh more and 1.5 a third more.
    """

    start_noise: float = 0.7
    """Standard deviation of the start noise (tau), 0..1: how much is left to chance. 0 is one fixed way."""

    def __post_init__(self) -> None:
        _check_range("hop_frames", self.hop_frames, 1, 16)
        _check_range("look_ahead_frames", self.look_ahead_frames, 0, 8)
        _check_range("history_frames", self.history_frames, 0, 64)
        _check_range("steps", self.steps, 1, 50)
        _check_range("guidance_scale", self.guidance_scale, 0.0, 4.0)
        _check_range("start_noise", self.start_noise, 0.0, 1.0)

    @property
    def delay_frames(self) -> int:
        """Frames of sound that must follow the first frame of a hop before it comes out."""
        return self.look_ahead_frames + self.hop_frames - 1

    @property
    def delay_ms(self) -> int:
        """The same in milliseconds."""
        return self.delay_frames * MILLISECONDS_PER_FRAME

    def check_window(self, window_frames: int) -> None:
        """Raise ConfigError unless a window has room for the hop, the look-ahead and one shown frame."""
        needed = self.hop_frames + self.look_ahead_frames + 1
        if needed > window_frames:
            raise ConfigError(
                f"motion.hop_frames {self.hop_frames} and motion.look_ahead_frames {self.look_ahead_frames} "
                f"need a window of {needed} frames, and the nets have {window_frames}.",
                remedy=f"Keep hop_frames + look_ahead_frames at {window_frames - 1} or less.",
            )


def _check_range(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise ConfigError(
            f"motion.{name} is {value}, outside {lowest}..{highest}.",
            remedy=f"Set it between {lowest} and {highest}.",
        )
