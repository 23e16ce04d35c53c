from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mien.engine import gallery
from mien.engine.errors import AssetError, ConfigError
from mien.engine.gallery import builtin_portraits, open_builtin

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
    assert portrait.size == (512, 512)
    assert portrait.picture.dtype == np.uint8
    assert portrait.picture.std() > 20, "a picture, not an empty canvas"


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
