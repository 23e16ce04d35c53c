"""Failures that mien foresees. Each one names its cause and its remedy."""


class MienError(Exception):
    """A failure we foresaw: what is wrong, and what to do about it."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


class ConfigError(MienError):
    """A setting is outside its range, or two settings contradict each other."""


class AssetError(MienError):
    """A file that mien needs is missing, damaged, foreign or of another version."""


class BackendUnavailable(MienError):
    """What was asked for by name cannot run on this machine."""


class PhotoError(MienError):
    """A photo cannot become a portrait."""


class NoFace(PhotoError):
    """Nobody was found in the photo."""


class SeveralFaces(PhotoError):
    """More than one face was found, and none was chosen.

    `boxes` holds each face's left, top, right, bottom in pixels of the upright photo, largest first.
    """

    def __init__(self, problem: str, *, remedy: str, boxes: tuple[tuple[int, int, int, int], ...]) -> None:
        super().__init__(problem, remedy=remedy)
        self.boxes = boxes


class PictureTooSmall(PhotoError):
    """The picture, or the face in it, has too few pixels to draw from."""


class PictureTooLarge(PhotoError):
    """The picture has more bytes or pixels than mien will decode."""


class NotAPicture(PhotoError):
    """The bytes are not a picture that mien can read."""
