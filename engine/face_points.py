"""Names for runs of the 478 landmarks. "Left" is the person's own left."""

from typing import Final

# fmt: off
FACE_OVAL: Final = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""The outline of the face, all the way round."""

OUTER_LIPS: Final = (
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
)
INNER_LIPS_TOP: Final = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LIPS_BOTTOM: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""From the corner at the picture's left to the other one; upper and lower points face each other."""

RIGHT_EYE_TOP: Final = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_EYE_BOTTOM: Final = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_EYE_TOP: Final = (362, 398, 384, 385, 386, 387, 388, 466, 263)
LEFT_EYE_BOTTOM: Final = (362, 382, 381, 380, 374, 373, 390, 249, 263)
"""Lid margins from corner to corner, from the picture's left to its right."""

RIGHT_BROW: Final = (46, 53, 52, 65, 55)
LEFT_BROW: Final = (285, 295, 282, 283, 276)
"""Lower edges of the brows, from the picture's left to its right."""

RIGHT_CREASE: Final = (247, 30, 29, 27, 28, 56, 190)
LEFT_CREASE: Final = (414, 286, 258, 257, 259, 260, 467)
"""The folds of the upper lids, from the picture's left to its right."""

RIGHT_IRIS: Final = (468, 469, 470, 471, 472)
LEFT_IRIS: Final = (473, 474, 475, 476, 477)
"""The centre, then four points of the rim."""

NOSTRILS: Final = (98, 327, 2, 94, 97, 326, 60, 290, 75, 305, 240, 460, 166, 392, 59, 289, 20, 250, 79, 309)
SUBNASALE: Final = 2
"""Where the nose meets the upper lip."""

CHIN: Final = 152
CHEEKS: Final = (205, 425, 50, 280, 199, 200)
"""Skin without hair or shadow, to tell the light by."""
# fmt: on
EYES: Final = (
    ("left", LEFT_EYE_TOP, LEFT_EYE_BOTTOM, LEFT_BROW, LEFT_IRIS),
    ("right", RIGHT_EYE_TOP, RIGHT_EYE_BOTTOM, RIGHT_BROW, RIGHT_IRIS),
)
