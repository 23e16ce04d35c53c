from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, features

from mien.engine.errors import MienError, NotAPicture, PhotoError, PictureTooLarge, PictureTooSmall
from mien.engine.photo import (
    BACKDROP,
    MAXIMUM_BYTES,
    MAXIMUM_PIXELS_WHOLE,
    MAXIMUM_SCANS,
    MAXIMUM_SIDE,
    MINIMUM_SIDE,
    open_photo,
)

WIDTH, HEIGHT = 160, 120
CAN_AVIF = "avif" in features.modules and features.check("avif")
NEEDS_AVIF = pytest.mark.skipif(not CAN_AVIF, reason="this Pillow cannot write AVIF")


def sample() -> NDArray[np.uint8]:
    """A smooth picture whose four corners differ, so that any turn or flip shows."""
    x = np.linspace(0, 1, WIDTH)[None, :]
    y = np.linspace(0, 1, HEIGHT)[:, None]
    planes = [20 + 200 * x + 0 * y, 20 + 200 * y + 0 * x, 220 - 100 * x - 80 * y]
    return np.stack(planes, axis=2).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def picture() -> Image.Image:
    return Image.fromarray(sample())


def assert_close(one: NDArray[np.uint8], other: NDArray[np.uint8], *, mean: float) -> None:
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other.astype(int)).mean() <= mean


@pytest.mark.parametrize(
    ("kind", "options", "mean"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {"compression": "tiff_lzw"}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95}, 1.5),
        ("JPEG", {"quality": 95, "progressive": True}, 1.5),
        pytest.param("AVIF", {"quality": 95}, 2.0, marks=NEEDS_AVIF),
    ],
)
def test_usual_formats(kind: str, options: dict[str, Any], mean: float) -> None:
    opened = open_photo(encoded(picture(), kind, **options))
    assert opened.dtype == np.uint8
    assert opened.flags.writeable
    assert_close(opened, sample(), mean=mean)


def test_path_and_bytes_agree(tmp_path: Path) -> None:
    data = encoded(picture(), "PNG")
    (tmp_path / "photo.png").write_bytes(data)
    np.testing.assert_array_equal(open_photo(tmp_path / "photo.png"), open_photo(data))


STORED_AS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED_AS[orientation](sample())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 95} if kind in ("JPEG", "WEBP") else {}
    assert_close(open_photo(encoded(stored, kind, exif=exif, **options)), sample(), mean=4)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_senseless_orientation_is_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(open_photo(encoded(picture(), "PNG", exif=exif)), sample())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_is_no_obstacle() -> None:
    data = encoded(picture(), "JPEG", quality=95, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(40)))
    assert_close(open_photo(data), sample(), mean=1.5)


def test_alpha_over_grey() -> None:
    rgba = picture().convert("RGBA")
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:, : WIDTH // 2] = 0
    rgba.putalpha(Image.fromarray(alpha))
    for kind in ("PNG", "WEBP"):
        opened = open_photo(encoded(rgba, kind, **({"lossless": True} if kind == "WEBP" else {})))
        assert (opened[:, : WIDTH // 2] == BACKDROP).all()
        np.testing.assert_array_equal(opened[:, WIDTH // 2 :], sample()[:, WIDTH // 2 :])


def test_half_transparency_mixes() -> None:
    rgba = picture().convert("RGBA")
    rgba.putalpha(128)
    expected = (sample() * (128 / 255) + 128 * (127 / 255)).astype(np.uint8)
    assert_close(open_photo(encoded(rgba, "PNG")), expected, mean=1)


def test_grey_with_alpha() -> None:
    grey = picture().convert("LA")
    grey.putalpha(0)
    assert (open_photo(encoded(grey, "PNG")) == BACKDROP).all()


def test_palette() -> None:
    data = encoded(picture().quantize(256), "PNG")
    assert_close(open_photo(data), sample(), mean=8)


def test_palette_with_a_transparent_colour() -> None:
    flat = Image.new("P", (WIDTH, HEIGHT), 3)
    flat.putpalette([10, 20, 30] * 256)
    assert (open_photo(encoded(flat, "PNG", transparency=3)) == BACKDROP).all()
    assert (open_photo(encoded(flat, "PNG")) == (10, 20, 30)).all()


def test_grey_and_bilevel() -> None:
    grey = np.repeat(np.asarray(picture().convert("L"))[..., None], 3, axis=2)
    np.testing.assert_array_equal(open_photo(encoded(picture().convert("L"), "PNG")), grey)
    bilevel = Image.fromarray(
        np.where(np.indices((HEIGHT, WIDTH)).sum(0) % 2, 255, 0).astype(np.uint8)
    ).convert("1")
    assert set(np.unique(open_photo(encoded(bilevel, "PNG")))) == {0, 255}


def test_grey_of_16_bits() -> None:
    ramp = np.tile(np.linspace(0, 65535, WIDTH).astype(np.uint16), (HEIGHT, 1))
    for kind in ("PNG", "TIFF"):
        opened = open_photo(encoded(Image.fromarray(ramp), kind))
        assert_close(opened[..., 0], (ramp / 257).astype(np.uint8), mean=1)


def test_colour_of_16_bits() -> None:
    """A PNG of 16 bits a channel, which Pillow cannot write, put together by hand."""
    wide = sample().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    np.testing.assert_array_equal(open_photo(png(header, zlib.compress(rows))), sample())


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floating_point(white: float) -> None:
    ramp = np.tile(np.linspace(0, white, WIDTH, dtype=np.float32), (HEIGHT, 1))
    ramp[0, 0] = np.nan
    opened = open_photo(encoded(Image.fromarray(ramp), "TIFF"))
    assert_close(
        opened[1:, :, 0], np.tile(np.linspace(0, 255, WIDTH), (HEIGHT - 1, 1)).astype(np.uint8), mean=1
    )


def test_cmyk() -> None:
    data = encoded(picture().convert("CMYK"), "JPEG", quality=95)
    assert_close(open_photo(data), sample(), mean=4)


def test_colour_profile_is_applied() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(open_photo(encoded(picture(), "PNG", icc_profile=srgb)), sample())
    # A profile of another kind of picture, and one that is no profile, are both passed over.
    for unfit in (profile.tobytes(), b"not a profile"):
        np.testing.assert_array_equal(open_photo(encoded(picture(), "PNG", icc_profile=unfit)), sample())


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animation_gives_its_first_picture(kind: str) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (open_photo(data) == (255, 0, 0)).all()


def test_large_photo_is_reduced() -> None:
    wide = Image.new("RGB", (5000, 2500), (200, 100, 50))
    for kind in ("JPEG", "PNG"):
        opened = open_photo(encoded(wide, kind))
        assert opened.shape == (MAXIMUM_SIDE // 2, MAXIMUM_SIDE, 3)
        assert np.abs(opened.reshape(-1, 3).mean(0) - (200, 100, 50)).max() < 2


def png(header: bytes, pixels: bytes) -> bytes:
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_of(width: int, height: int) -> bytes:
    """A PNG that claims any size in a few bytes."""
    return png(struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), zlib.compress(bytes(1000)))


def png_with(kind: bytes, body: bytes) -> bytes:
    """A good PNG with one more chunk after its header."""
    data = encoded(picture(), "PNG")
    return data[:33] + png_chunk(kind, body) + data[33:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def jpeg_of_scans(count: int, side: int = 128) -> bytes:
    """A progressive JPEG that repeats its last scan."""
    data = encoded(Image.new("L", (side, side), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def _bmp_of(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def _gif_of(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x02L\x01\x00;"
    )


BAD: dict[str, tuple[Callable[[], bytes], type[PhotoError]]] = {
    "nothing": (lambda: b"", NotAPicture),
    "one byte": (lambda: b"\xff", NotAPicture),
    "zeros": (lambda: bytes(10_000), NotAPicture),
    "noise": (lambda: np.random.default_rng(1).bytes(50_000), NotAPicture),
    "text": (lambda: b"Dear sir, please find my photo enclosed.\n" * 50, NotAPicture),
    "HTML": (lambda: b"<!doctype html><title>404</title>", NotAPicture),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500"/>', NotAPicture),
    "PDF": (lambda: b"%PDF-1.7\n1 0 obj << /Type /Catalog >> endobj", NotAPicture),
    "PostScript": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 500 500\n", NotAPicture),
    "ZIP": (lambda: b"PK\x03\x04" + bytes(200), NotAPicture),
    "video": (lambda: b"\0\0\0\x20ftypisom" + bytes(200), NotAPicture),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic" + bytes(200), NotAPicture),
    "sound": (lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(100), NotAPicture),
    "JPEG header only": (lambda: encoded(picture(), "JPEG")[:20], NotAPicture),
    "JPEG cut in half": (lambda: _half(encoded(picture(), "JPEG", quality=95)), NotAPicture),
    "PNG cut in half": (lambda: _half(encoded(picture(), "PNG")), NotAPicture),
    "WebP cut in half": (lambda: _half(encoded(picture(), "WEBP")), NotAPicture),
    "GIF cut in half": (lambda: _half(encoded(picture().quantize(64), "GIF")), NotAPicture),
    "BMP cut in half": (lambda: _half(encoded(picture(), "BMP")), NotAPicture),
    "TIFF cut in half": (lambda: _half(encoded(picture(), "TIFF", compression="tiff_lzw")), NotAPicture),
    "PNG with wrong pixels": (lambda: png_of(WIDTH, HEIGHT), NotAPicture),
    "PNG with flipped bits": (lambda: _spoilt(encoded(picture(), "PNG")), NotAPicture),
    "PNG bomb": (lambda: png_of(60_000, 60_000), PictureTooLarge),
    "PNG bomb, modest": (lambda: png_of(10_000, 9_500), PictureTooLarge),
    "PNG just over": (lambda: png_of(MAXIMUM_PIXELS_WHOLE // 5000 + 1, 5000), PictureTooLarge),
    "PNG of no width": (lambda: png_of(0, 500), NotAPicture),
    "BMP bomb": (lambda: _bmp_of(30_000, 30_000), PictureTooLarge),
    "PNG whose text unpacks to 100 MB": (
        lambda: png_with(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000), 9)),
        NotAPicture,
    ),
    "PNG whose profile unpacks to 100 MB": (
        lambda: png_with(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000), 9)),
        NotAPicture,
    ),
    "JPEG of many scans": (lambda: jpeg_of_scans(5000), NotAPicture),
    "GIF bomb": (lambda: _gif_of(65_535, 65_535), PictureTooLarge),
    "too many bytes": (lambda: encoded(picture(), "PNG") + bytes(MAXIMUM_BYTES), PictureTooLarge),
    "one pixel": (lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), PictureTooSmall),
    "icon": (lambda: encoded(Image.new("RGB", (32, 32)), "PNG"), PictureTooSmall),
    "just too small": (lambda: encoded(Image.new("RGB", (500, MINIMUM_SIDE - 1)), "PNG"), PictureTooSmall),
    "strip": (lambda: encoded(Image.new("RGB", (20_000, 100)), "PNG"), PictureTooSmall),
}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _spoilt(data: bytes) -> bytes:
    """Turn over bits where the compressed pixels begin."""
    start = data.index(b"IDAT") + 4
    return data[:start] + bytes(byte ^ 0x5A for byte in data[start : start + 40]) + data[start + 40 :]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow's word for a TIFF that ends too early
@pytest.mark.parametrize("kind", BAD)
def test_refusals_name_cause_and_remedy(kind: str) -> None:
    make, error = BAD[kind]
    data = make()
    with pytest.raises(MienError) as caught:
        open_photo(data)
    assert type(caught.value) is error
    assert caught.value.problem
    assert caught.value.remedy


@NEEDS_AVIF
def test_half_an_avif() -> None:
    with pytest.raises(NotAPicture):
        open_photo(_half(encoded(picture(), "AVIF")))


def test_heic_is_named() -> None:
    with pytest.raises(NotAPicture, match="HEIC"):
        open_photo(BAD["HEIC"][0]())


@pytest.mark.parametrize("kind", ["PNG bomb", "PNG bomb, modest", "PNG just over", "BMP bomb", "GIF bomb"])
def test_bombs_are_refused_before_decoding(kind: str) -> None:
    data = BAD[kind][0]()
    tracemalloc.start()
    try:
        with pytest.raises(PictureTooLarge):
            open_photo(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_scans_that_are_allowed_are_decoded() -> None:
    assert (open_photo(jpeg_of_scans(MAXIMUM_SCANS - 10)) == 90).all()


def test_every_cut_and_every_flip_is_a_picture_or_a_clear_error() -> None:
    random = np.random.default_rng(2)
    kinds = [("PNG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("GIF", {}), ("BMP", {})]
    for kind, options in [*kinds, ("TIFF", {"compression": "tiff_lzw"})]:
        data = encoded(picture(), kind, **options)
        for place in random.integers(0, len(data), 15):
            flipped = bytearray(data)
            flipped[place] ^= 1 << int(random.integers(8))
            for spoilt in (data[:place], bytes(flipped)):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow's remarks on damaged tags
                    try:
                        opened = open_photo(spoilt)
                    except PhotoError:
                        continue
                assert opened.dtype == np.uint8
                assert opened.shape[2] == 3


_MEASURE = """
import sys
from mien.engine.photo import open_photo
open_photo(sys.stdin.buffer.read())
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) // 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the memory's peak from /proc")
@pytest.mark.parametrize("mode", ["RGBA", "F"])
def test_memory_is_bounded_at_the_limit(mode: str) -> None:
    """The largest pictures of two kinds: 136 MB of pixels each before anything is done."""
    side = int(MAXIMUM_PIXELS_WHOLE**0.5)
    data = encoded(Image.new(mode, (side, side)), "TIFF", compression="tiff_lzw")
    measured = subprocess.run([sys.executable, "-c", _MEASURE], input=data, capture_output=True, check=True)
    assert int(measured.stdout) < 500  # MB, of which Python with NumPy and Pillow take about 40


def test_unreadable_paths(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jpg", tmp_path):
        with pytest.raises(PhotoError, match="cannot be read"):
            open_photo(path)


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs an endless file")
def test_endless_file_ends() -> None:
    with pytest.raises(PictureTooLarge):
        open_photo(Path("/dev/zero"))


def test_smallest_picture_that_passes() -> None:
    assert open_photo(encoded(Image.new("RGB", (MINIMUM_SIDE, MINIMUM_SIDE)), "PNG")).shape == (80, 80, 3)
