"""What tells one of our own people from another: colours, proportions, hair (see draw_portrait.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Colour = tuple[int, int, int]
"""RGB, 0..255."""


@dataclass(frozen=True)
class Look:
    """What makes one person differ from another."""

    name: str
    seed: int
    skin: tuple[Colour, Colour, Colour, Colour]
    """From deep shade to highlight."""

    blush: Colour
    lips: tuple[Colour, Colour, Colour]
    """The line between them, the upper and the lower lip."""

    hair: tuple[Colour, Colour, Colour]
    """From shade to gloss."""

    brow: Colour
    iris: tuple[Colour, Colour]
    """Rim and inside."""

    cloth: tuple[Colour, Colour, Colour]
    """Shade, plain and light."""

    backdrop: tuple[Colour, Colour]
    """Centre and edge."""

    outline: tuple[tuple[float, float], ...]
    """The right half of the face's edge, from the crown to the chin."""

    breadth: float
    """Of neck and shoulders, against the drawing's plain measure."""

    lip_fullness: float
    eye_opening: float
    lashes: float
    hair_cut: Literal["long", "fringe", "swept", "cropped", "cloud"]
    beard: bool = False
    glasses: bool = False
    pupil: Colour = (12, 8, 8)
    stone: bool = False
    """Carved: no shine in the eyes, no hairs in the brows."""

    @property
    def long_hair(self) -> bool:
        """Whether hair hides the ears and falls on the neck."""
        return self.hair_cut in ("long", "fringe")


IRIS = Look(
    name="iris",
    seed=7,
    skin=((150, 84, 70), (226, 160, 134), (247, 201, 176), (255, 234, 218)),
    blush=(222, 104, 96),
    lips=((116, 38, 42), (188, 84, 84), (214, 112, 108)),
    hair=((38, 20, 18), (92, 50, 34), (196, 130, 84)),
    brow=(74, 42, 32),
    iris=((40, 66, 52), (120, 158, 108)),
    cloth=((20, 68, 78), (42, 116, 124), (86, 168, 170)),
    backdrop=((250, 232, 208), (226, 178, 150)),
    outline=(
        (0.0, -1.62),
        (0.52, -1.50),
        (0.86, -1.12),
        (0.98, -0.62),
        (0.99, -0.15),
        (0.945, 0.22),
        (0.84, 0.58),
        (0.655, 0.92),
        (0.42, 1.18),
        (0.20, 1.315),
        (0.0, 1.345),
    ),
    breadth=1.0,
    lip_fullness=1.0,
    eye_opening=0.95,
    lashes=1.0,
    hair_cut="long",
)

BRAM = Look(
    name="bram",
    seed=11,
    skin=((58, 30, 24), (116, 68, 48), (160, 104, 76), (222, 172, 140)),
    blush=(140, 62, 46),
    lips=((58, 24, 24), (124, 66, 58), (150, 82, 72)),
    hair=((14, 11, 12), (34, 27, 27), (78, 66, 64)),
    brow=(24, 17, 16),
    iris=((30, 18, 12), (98, 60, 34)),
    cloth=((150, 96, 30), (222, 158, 62), (248, 204, 122)),
    backdrop=((190, 214, 222), (108, 146, 168)),
    outline=(
        (0.0, -1.66),
        (0.54, -1.54),
        (0.88, -1.14),
        (0.985, -0.62),
        (0.995, -0.15),
        (0.965, 0.25),
        (0.895, 0.62),
        (0.745, 0.98),
        (0.50, 1.25),
        (0.25, 1.385),
        (0.0, 1.41),
    ),
    breadth=1.16,
    lip_fullness=1.25,
    eye_opening=0.84,
    lashes=0.0,
    hair_cut="cropped",
)

TOMAS = Look(
    name="tomas",
    seed=23,
    skin=((122, 70, 52), (196, 134, 104), (230, 176, 144), (252, 222, 198)),
    blush=(206, 98, 84),
    lips=((104, 46, 44), (172, 92, 84), (196, 112, 100)),
    hair=((30, 20, 14), (78, 54, 36), (150, 112, 76)),
    brow=(58, 40, 28),
    iris=((44, 64, 84), (120, 150, 172)),
    cloth=((44, 50, 66), (82, 92, 116), (130, 142, 168)),
    backdrop=((226, 220, 204), (168, 158, 138)),
    outline=BRAM.outline,
    breadth=1.14,
    lip_fullness=0.82,
    eye_opening=0.86,
    lashes=0.0,
    hair_cut="swept",
    beard=True,
)

AMARA = Look(
    name="amara",
    seed=31,
    skin=((44, 22, 18), (92, 52, 38), (134, 82, 60), (206, 150, 120)),
    blush=(128, 52, 44),
    lips=((54, 18, 24), (120, 50, 56), (150, 68, 72)),
    hair=((12, 9, 10), (30, 22, 22), (84, 64, 58)),
    brow=(20, 14, 13),
    iris=((26, 15, 10), (82, 48, 26)),
    cloth=((118, 30, 60), (186, 62, 98), (226, 118, 148)),
    backdrop=((236, 222, 196), (196, 170, 128)),
    outline=IRIS.outline,
    breadth=1.0,
    lip_fullness=1.3,
    eye_opening=0.95,
    lashes=0.8,
    hair_cut="cloud",
    glasses=True,
)

MEI = Look(
    name="mei",
    seed=41,
    skin=((158, 102, 80), (230, 178, 148), (248, 212, 186), (255, 240, 224)),
    blush=(232, 128, 112),
    lips=((122, 44, 48), (196, 92, 92), (220, 122, 118)),
    hair=((10, 9, 12), (30, 27, 34), (104, 100, 116)),
    brow=(40, 32, 32),
    iris=((24, 15, 12), (84, 54, 36)),
    cloth=((176, 172, 160), (226, 222, 210), (250, 248, 240)),
    backdrop=((206, 222, 204), (140, 168, 146)),
    outline=IRIS.outline,
    breadth=0.96,
    lip_fullness=0.92,
    eye_opening=0.80,
    lashes=0.8,
    hair_cut="fringe",
)

MARBLE = Look(
    name="marble",
    seed=53,
    skin=((92, 90, 88), (164, 162, 158), (212, 210, 204), (248, 246, 240)),
    blush=(190, 188, 182),
    lips=((104, 102, 98), (176, 174, 168), (200, 198, 192)),
    hair=((104, 102, 98), (170, 168, 162), (226, 224, 218)),
    brow=(150, 148, 142),
    iris=((150, 148, 142), (206, 204, 198)),
    cloth=((96, 94, 92), (176, 174, 168), (226, 224, 218)),
    backdrop=((108, 104, 98), (54, 52, 48)),
    outline=BRAM.outline,
    breadth=1.12,
    lip_fullness=1.0,
    eye_opening=0.84,
    lashes=0.0,
    hair_cut="cropped",
    pupil=(112, 110, 106),
    stone=True,
)

LOOKS = {look.name: look for look in (IRIS, BRAM, TOMAS, AMARA, MEI, MARBLE)}
