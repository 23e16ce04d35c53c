"""Opens a photo of any usual kind as upright RGB, or refuses it with the reason.

The bytes may come from a stranger: nothing is decoded before its size is known, only a short list of formats
is tried, and 700 MB of memory and 4 s suffice for whatever is sent (measured at the limits below: a WebP with
alpha takes the most memory, a JPEG of many scans the most time).
"""

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from mien.engine.errors import NotAPicture, PhotoError, PictureTooLarge, PictureTooSmall

MAXIMUM_BYTES: Final = 20_000_000
"""Larger files are refused unread."""

MAXIMUM_PIXELS: Final = 50_000_000
"""Larger JPEGs are refused undecoded. The sharpest phones make 48 to 50 million."""

MAXIMUM_PIXELS_WHOLE: Final = 34_000_000
"""The same for formats that, unlike JPEG, can only be decoded in full size: room for 8K."""

MAXIMUM_SIDE: Final = 3072
"""The longer side of what is returned, in pixels; larger photos are reduced to it."""

MAXIMUM_SCANS: Final = 100
"""A progressive JPEG has about ten scans. One that repeats them by the thousand takes hours to decode."""

MINIMUM_SIDE: Final = 80
"""The shorter side must have as many pixels as the smallest face that can be drawn from."""

BACKDROP: Final = (128, 128, 128)
"""What shows through a transparent picture."""

_STRIP: Final = 256
"""Rows that are laid over the backdrop at a time: a large picture is never held twice with its alpha."""

Image.init()  # else only some of Pillow's readers are known
_FORMATS: Final = tuple(sorted({"JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF"} & Image.OPEN.keys()))
_READABLE: Final = "JPEG, PNG, WebP, GIF, BMP or TIFF"
_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"})

_ORIENTATION_TAG: Final = 0x0112
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a picture upright, by the EXIF orientation in which it was stored."""

# Pillow's decoders let these through when a file is damaged, each in its own place.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


def open_photo(source: bytes | Path) -> NDArray[np.uint8]:
    """Open a photo as RGB uint8[H, W, 3], upright, at most MAXIMUM_SIDE pixels a side.

    EXIF rotation is applied, colours are brought to sRGB, transparency is laid over neutral grey, 16 bits a
    channel become 8, and of an animation the first picture is taken.

    Raises NotAPicture for what is no picture or a damaged one, PictureTooLarge, PictureTooSmall, and
    PhotoError for a path that cannot be read.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if len(data) > MAXIMUM_BYTES:
        raise PictureTooLarge(
            f"The picture has more than {MAXIMUM_BYTES // 1_000_000} MB.",
            remedy="Save it smaller, for instance as a JPEG of 2000 pixels a side.",
        )
    image = _open(data)
    _check_size(image)
    _check_scans(image, data)
    try:
        rgb = _to_rgb(image)
        orientation = _orientation(image)  # asked for last: some readers turn the picture while decoding
    except _DECODER_ERRORS as error:
        raise NotAPicture(
            f"The picture is damaged or cut off: {error}.", remedy="Send the whole file, or save it anew."
        ) from error
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    return np.array(rgb, np.uint8)


def _read(path: Path) -> bytes:
    """Read a file, but never much more than is allowed: a device file has no end."""
    try:
        with path.open("rb") as file:
            return file.read(MAXIMUM_BYTES + 1)
    except OSError as error:
        raise PhotoError(
            f"The photo {path} cannot be read: {error.strerror}.",
            remedy="Check path and permissions.",
        ) from error


def _open(data: bytes) -> Image.Image:
    """Read the picture's header, without decoding its pixels."""
    try:
        return Image.open(BytesIO(data), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(MAXIMUM_PIXELS) from error
    except _DECODER_ERRORS as error:
        if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
            raise NotAPicture(
                "This is a HEIC picture, which mien cannot read.",
                remedy="Save it as JPEG: phones offer that as the most compatible format.",
            ) from error
        raise NotAPicture("This is not a picture that mien can read.", remedy=f"Use {_READABLE}.") from error


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    maximum = MAXIMUM_PIXELS if image.format in ("JPEG", "MPO") else MAXIMUM_PIXELS_WHOLE
    if width * height > maximum:
        raise _too_many_pixels(maximum)
    shorter = min(width, height)
    shown = shorter * min(1.0, MAXIMUM_SIDE / max(width, height))
    if shown < MINIMUM_SIDE:
        raise PictureTooSmall(
            f"The picture has {width} x {height} pixels, too few to draw a face from.",
            remedy=f"Use one with at least {MINIMUM_SIDE} pixels a side, better 512, and not a mere strip.",
        )


def _check_scans(image: Image.Image, data: bytes) -> None:
    # Within coded pixels a byte of 255 is followed by 0 or a restart: what is counted are true markers.
    if image.format in ("JPEG", "MPO") and data.count(b"\xff\xda") > MAXIMUM_SCANS:
        raise NotAPicture(
            f"The picture is a JPEG of more than {MAXIMUM_SCANS} scans, which no camera makes.",
            remedy="Save it anew with a picture editor.",
        )


def _too_many_pixels(maximum: int) -> PictureTooLarge:
    return PictureTooLarge(
        f"The picture has more than {maximum // 1_000_000} million pixels.",
        remedy="Reduce it to about 2000 pixels a side.",
    )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 where there is none."""
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _DECODER_ERRORS:
        return 1  # a broken EXIF block is common and harms no pixel


def _to_rgb(image: Image.Image) -> Image.Image:
    """Decode, reduce and convert to sRGB."""
    if image.format == "JPEG":
        image.draft(
            None, (MAXIMUM_SIDE, MAXIMUM_SIDE)
        )  # decodes at a half, quarter or eighth where that will do
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F"):
        image = _to_8_bits(_reduce(image))
    elif image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        return _reduce(_over_backdrop(image))
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    image = _reduce(image)
    if profile and image.mode in ("RGB", "CMYK"):
        image = _to_srgb(image, profile)
    return image.convert("RGB")


def _reduce(image: Image.Image) -> Image.Image:
    # The gap of 1 lets a JPEG be decoded at a half, quarter or eighth, which bounds memory and time.
    image.thumbnail((MAXIMUM_SIDE, MAXIMUM_SIDE), Image.Resampling.LANCZOS, reducing_gap=1.0)
    return image


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Bring grey of 16 bits, 32 bits or floating point to 8 bits.

    Neither 32-bit form states its white: it is taken for 255, 1 or 65535, whichever the brightest pixel fits.
    """
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((values >> 8).astype(np.uint8))
    known = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    whites = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    brightest = float(known.max())
    white = next((white for white in whites if brightest <= white), whites[-1])
    return Image.fromarray(np.clip(known * np.float32(255.0 / white) + 0.5, 0, 255).astype(np.uint8))


def _over_backdrop(image: Image.Image) -> Image.Image:
    width, height = image.size
    whole = Image.new("RGB", image.size, BACKDROP)
    for top in range(0, height, _STRIP):
        strip = image.crop((0, top, width, min(top + _STRIP, height))).convert("RGBA")
        whole.paste(strip.convert("RGB"), (0, top), strip.getchannel("A"))
    return whole


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert from the colours of the embedded profile; one that does not fit the picture is passed over."""
    srgb = ImageCms.createProfile("sRGB")
    try:
        embedded = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, embedded, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image
    return image if converted is None else converted
