from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from synthetic_face import draw_photo

from mien.engine.errors import AssetError
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
    with pytest.raises(AssetError, match="Update mien"):
        Portrait.load(saved)


def test_another_head_model_says_to_prepare_again(saved: Path) -> None:
    rewrite(saved, head=np.int64(7))
    with pytest.raises(AssetError, match="another head model"):
        Portrait.load(saved)


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


@pytest.mark.parametrize(
    "changes",
    [
        {"vertices": np.zeros((5, 3), np.float32)},
        {"share": np.full(3, np.nan, np.float32)},
        {"runs": np.array([0, 1, 2, 3])},
        {"delta_starts": np.zeros(54, np.int64)},
        {"face_triangles": np.full((4, 3), 60_000, np.uint16)},
        {"picture": np.zeros(40, np.uint8)},
        {"lips_corner": np.array([-5, 0])},
        {"scale": np.float64(0)},
        {"scale": np.float64(np.nan)},
    ],
)
def test_parts_that_do_not_fit_are_damage(saved: Path, changes: dict[str, object]) -> None:
    rewrite(saved, **changes)
    with pytest.raises(AssetError):
        Portrait.load(saved)


def test_pickles_are_not_opened(saved: Path) -> None:
    rewrite(saved, name=np.array([{"a": 1}], dtype=object))
    with pytest.raises(AssetError):
        Portrait.load(saved)
