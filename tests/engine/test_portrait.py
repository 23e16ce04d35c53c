import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_LZMA, ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from synthetic_face import draw_photo

from mien.engine.errors import AssetError, ConfigError
from mien.engine.portrait import PORTRAIT_FORMAT, Portrait


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return draw_photo().portrait()


@pytest.fixture
def saved(portrait: Portrait, tmp_path: Path) -> Path:
    path = tmp_path / "someone.mien"
    portrait.save(path)
    return path


def rewrite(path: Path, **changes: object) -> None:
    with np.load(path) as stored:
        found = {name: stored[name] for name in stored.files}
    found |= changes
    with path.open("wb") as file:
        np.savez_compressed(file, **{name: value for name, value in found.items() if value is not None})


def test_what_was_saved_comes_back(portrait: Portrait, saved: Path) -> None:
    again = Portrait.load(saved)
    for field in fields(Portrait):
        before, after = getattr(portrait, field.name), getattr(again, field.name)
        if field.name == "delta_values":
            np.testing.assert_allclose(after, before, atol=0.005)
        elif isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype, field.name
        else:
            assert after == before
            assert type(after) is type(before)


def test_file_is_small(saved: Path) -> None:
    assert saved.stat().st_size < 3_000_000


def test_missing_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="mien prepare"):
        Portrait.load(tmp_path / "nobody.mien")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n" + bytes(100)])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.mien"
    path.write_bytes(content)
    with pytest.raises(AssetError):
        Portrait.load(path)


def test_other_archives_and_folders_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name in ("other.npz", "array.npy", "."):
        with pytest.raises(AssetError):
            Portrait.load(tmp_path / name)


def test_newer_file_says_to_update(saved: Path) -> None:
    rewrite(saved, format=np.int64(PORTRAIT_FORMAT + 1))
    with pytest.raises(AssetError, match=r"newer mien.*Update mien"):
        Portrait.load(saved)


@pytest.mark.parametrize("changes", [{"format": np.int64(1), "scores": None}, {"head": np.int64(7)}])
def test_older_file_says_to_prepare_again(saved: Path, changes: dict[str, object]) -> None:
    rewrite(saved, **changes)
    with pytest.raises(AssetError, match=r"prepared with an older mien.*Prepare the photo again") as refusal:
        Portrait.load(saved)
    assert "damaged" not in str(refusal.value)


@pytest.mark.parametrize("name", ["head", *(field.name for field in fields(Portrait))])
def test_missing_field_is_damage(saved: Path, name: str) -> None:
    rewrite(saved, **{name: None})
    with pytest.raises(AssetError):
        Portrait.load(saved)


def test_cut_files_are_damaged(saved: Path) -> None:
    content = saved.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        saved.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(AssetError):
            Portrait.load(saved)


def test_flipped_bytes_are_damage_or_harmless(saved: Path) -> None:
    content = saved.read_bytes()
    random = np.random.default_rng(3)
    for place in random.integers(0, len(content), 25):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        saved.write_bytes(bytes(changed))
        try:
            Portrait.load(saved)
        except AssetError:
            continue


def png_of(width: int, height: int) -> NDArray[np.uint8]:
    """A PNG that claims any size in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return np.frombuffer(b"\x89PNG\r\n\x1a\n" + header + pixels, np.uint8)


def test_every_array_has_a_form_that_is_checked(portrait: Portrait) -> None:
    arrays = {
        field.name for field in fields(Portrait) if isinstance(getattr(portrait, field.name), np.ndarray)
    }
    for name in arrays:
        changed = replace(portrait, **{name: np.zeros((1, 1, 1, 1), np.complex64)})
        with pytest.raises((ValueError, ConfigError)):
            changed.check()


UNFIT: dict[str, dict[str, object]] = {
    "other number of vertices": {"vertices": np.zeros((5, 3), np.float32)},
    "no number": {"share": np.full(3, np.nan, np.float32)},
    "landmark of no number": {"landmarks": np.full((478, 3), np.nan, np.float32)},
    "infinite landmark": {"landmarks": np.full((478, 3), np.inf, np.float32)},
    "landmark far away": {"landmarks": np.full((478, 3), 1e9, np.float32)},
    "steps that overflow": {"delta_steps": np.full(53, 3e38, np.float32)},
    "other runs": {"runs": np.array([0, 1, 2, 3])},
    "runs of fractions": {"runs": np.array([0.0, 1, 2, 3])},
    "no movements": {"delta_starts": np.zeros(54, np.int64)},
    "endless movements": {"delta_starts": np.arange(54) * 10**12},
    "movements backwards": {"delta_starts": np.arange(54)[::-1].copy()},
    "triangle beyond the vertices": {"face_triangles": np.full((4, 3), 60_000, np.uint16)},
    "negative triangle": {"grid_triangles": np.full((4, 3), -5, np.int32)},
    "triangle of two corners": {"mouth_triangles": np.zeros((4, 2), np.uint16)},
    "negative row": {"delta_rows": np.full(10, -1, np.int32)},
    "numbers as text": {"vertices": np.array(["1", "2"])},
    "truth for pixels": {"mouth_photo": np.zeros((512, 512), bool)},
    "wide numbers": {"pivot": np.zeros(3, np.float64)},
    "picture of noughts": {"picture": np.zeros(40, np.uint8)},
    "picture of another size": {"picture": png_of(32, 32)},
    "picture bomb": {"picture": png_of(60_000, 60_000)},
    "eye bomb": {"left_eye_sheet": png_of(30_000, 30_000)},
    "picture of text": {"picture": np.array("picture")},
    "lips outside": {"lips_corner": np.array([-5, 0])},
    "lips far outside": {"lips_corner": np.array([500, 500])},
    "no scale": {"scale": np.float64(0)},
    "scale of no number": {"scale": np.float64(np.nan)},
    "scale of many numbers": {"scale": np.zeros(5)},
    "kind alone": {"format": np.array("two")},
    "foreign kind": {"kind": np.array("another program's")},
}


@pytest.mark.parametrize("kind", UNFIT)
def test_parts_that_do_not_fit_are_refused(saved: Path, kind: str) -> None:
    rewrite(saved, **UNFIT[kind])
    with pytest.raises(AssetError) as refusal:
        Portrait.load(saved)
    assert refusal.value.remedy


def test_pickles_are_not_opened(saved: Path) -> None:
    rewrite(saved, name=np.array([{"a": 1}], dtype=object))
    with pytest.raises(AssetError, match="damaged"):
        Portrait.load(saved)


def array_file(header: str, body: bytes = b"") -> bytes:
    """What np.save writes, with a header of one's own."""
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def archive_of(kind: int = ZIP_DEFLATED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", kind) as archive:
        for name, body in members.items():
            archive.writestr(f"{name}.npy", body)
    return buffer.getvalue()


def lying(data: bytes, stated: int) -> bytes:
    """An archive whose only member states another size than it unpacks to, in both of its headers."""
    changed = bytearray(data)
    changed[22:26] = struct.pack("<I", stated)
    directory = data.rindex(b"PK\x01\x02")
    changed[directory + 24 : directory + 28] = struct.pack("<I", stated)
    return bytes(changed)


HOSTILE: dict[str, Callable[[], bytes]] = {
    "bomb": lambda: archive_of(kind=ZIP_DEFLATED, a=bytes(300_000_000)),
    "bomb that states a small size": lambda: lying(archive_of(a=bytes(300_000_000)), 1000),
    "many members": lambda: archive_of(**{f"a{k}": bytes(2_000_000) for k in range(60)}),
    "terabytes in a header": lambda: archive_of(
        a=array_file("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }")
    ),
    "negative shape": lambda: archive_of(
        a=array_file("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -8), }", bytes(64))
    ),
    "objects": lambda: archive_of(
        a=array_file("{'descr': '|O', 'fortran_order': False, 'shape': ()}", b"cos\nsystem\n(S'true'\ntR.")
    ),
    "nested header": lambda: archive_of(a=array_file("(" * 100)),
    "call in a header": lambda: archive_of(a=array_file("__import__('os').getcwd()")),
    "other byte order": lambda: archive_of(
        a=array_file("{'descr': '>f8', 'fortran_order': False, 'shape': (1,), }", bytes(8))
    ),
    "text of no length": lambda: archive_of(
        a=array_file("{'descr': '<U0', 'fortran_order': False, 'shape': (9,), }")
    ),
    "endless text": lambda: archive_of(
        a=array_file("{'descr': '<U999', 'fortran_order': False, 'shape': (999999999999,), }")
    ),
    "no array": lambda: archive_of(a=b"hello"),
    "empty array file": lambda: archive_of(a=b""),
    "lzma": lambda: archive_of(kind=ZIP_LZMA, a=array_file("{}")),
    "nothing": lambda: archive_of(),
}

_MEASURE = """
import sys
from pathlib import Path
from mien.engine.errors import AssetError, ConfigError
from mien.engine.portrait import Portrait
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024
before = peak()
for path in sys.argv[1:]:
    try:
        Portrait.load(Path(path))
    except AssetError as error:
        assert error.remedy
    else:
        raise SystemExit(f"{path} was opened")
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="reads the memory's peak from /proc")
def test_hostile_archives_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    paths = []
    for name, make in HOSTILE.items():
        paths.append(tmp_path / f"{name}.mien")
        paths[-1].write_bytes(make())
    command = [sys.executable, "-c", _MEASURE, *map(str, paths)]
    measured = subprocess.run(command, capture_output=True, text=True, check=False)
    assert measured.returncode == 0, measured.stderr
    assert int(measured.stdout) < 150  # MB
