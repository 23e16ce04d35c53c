from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.engine import gallery
from mien.engine.errors import AssetError, ConfigError
from mien.engine.gallery import builtin_portraits, open_builtin
from mien.engine.portrait import Portrait
from mien.engine.preparation import build_portrait

IDS = [portrait.id for portrait in builtin_portraits()]


def test_there_is_a_choice() -> None:
    assert len(IDS) >= 3
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("portrait", builtin_portraits(), ids=IDS)
def test_every_portrait_says_where_it_comes_from(portrait: gallery.BuiltinPortrait) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", portrait.id)
    assert portrait.title
    assert portrait.credit
    assert portrait.source
    assert portrait.licence.startswith(("Public domain", "Apache-2.0"))


@pytest.mark.parametrize("portrait_id", IDS)
def test_every_portrait_opens(portrait_id: str) -> None:
    portrait = open_builtin(portrait_id)
    assert portrait.size[0] == portrait.size[1] >= 512
    assert portrait.picture.dtype == np.uint8
    assert portrait.picture.std() > 20, "a picture, not an empty canvas"


@pytest.mark.parametrize("portrait_id", IDS)
def test_every_portrait_is_what_preparation_makes_today(portrait_id: str) -> None:
    """Prepared anew from what the file keeps of the photo: picture, landmarks, scores and background."""
    shipped = open_builtin(portrait_id)
    today = build_portrait(
        shipped.picture,
        shipped.landmarks,
        shipped.scores,
        name=shipped.name,
        apart=(shipped.matte, shipped.backdrop),
    )
    for field in fields(Portrait):
        old, new = getattr(shipped, field.name), getattr(today, field.name)
        assert _alike(old, new), f"{field.name} is stale: run tools/prepare_builtin.py"


def _alike(old: Any, new: Any) -> bool:
    """Equal but for the last bits: another processor rounds otherwise, and movements are stored in steps."""
    if not isinstance(old, np.ndarray):
        return bool(old == new) if not isinstance(old, float) else bool(np.isclose(old, new, rtol=1e-4))
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    if old.dtype == np.uint8:
        return float(np.abs(old.astype(int) - new).mean()) < 0.5
    return bool(np.allclose(old, new, atol=0.05)) if old.dtype.kind == "f" else bool(np.array_equal(old, new))


def test_no_file_is_left_over() -> None:
    folder = builtin_portraits()[0].path.parent
    assert {path.name for path in folder.iterdir()} == {"index.json", *(f"{name}.npz" for name in IDS)}


def test_unknown_portrait_names_the_known() -> None:
    for wrong in ("nobody", "", "../index", "astronaut.npz"):
        with pytest.raises(ConfigError) as caught:
            open_builtin(wrong)
        assert all(name in caught.value.remedy for name in IDS)


@pytest.mark.parametrize("content", [None, "", "{", "[1]", '[{"id": "x"}]', '[{"title": "x"}]'])
def test_damaged_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None) -> None:
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    monkeypatch.setattr(gallery, "_FOLDER", tmp_path)
    with pytest.raises(AssetError, match="index"):
        builtin_portraits.__wrapped__()
