"""The portraits that come with mien: prepared, ready to be drawn, free to be used."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from mien.engine.errors import AssetError, ConfigError
from mien.engine.portrait import Portrait

_FOLDER: Final = Path(__file__).parent / "assets" / "portraits"


@dataclass(frozen=True, slots=True)
class BuiltinPortrait:
    """One portrait of the gallery, not yet opened."""

    id: str
    """How it is asked for: lower-case letters, digits and underscores."""

    title: str
    """What a page shows."""

    credit: str
    """Who made the picture."""

    licence: str
    """Under what terms the picture is used."""

    source: str
    """Where the picture was found, or what drew it."""

    path: Path
    """The prepared portrait, for Portrait.load."""


@cache
def builtin_portraits() -> tuple[BuiltinPortrait, ...]:
    """List the gallery in the order in which it is shown. Raises AssetError if its index is damaged."""
    try:
        entries: list[dict[str, Any]] = json.loads((_FOLDER / "index.json").read_text(encoding="utf-8"))
        return tuple(BuiltinPortrait(path=_FOLDER / f"{entry['id']}.npz", **entry) for entry in entries)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AssetError(
            f"The index of the built-in portraits is missing or damaged: {error}.",
            remedy="Install mien again.",
        ) from error


def open_builtin(portrait_id: str) -> Portrait:
    """Open one portrait of the gallery.

    Raises ConfigError for an id that is not in it, and AssetError when its file is missing or damaged.
    """
    known = {portrait.id: portrait for portrait in builtin_portraits()}
    if portrait_id not in known:
        raise ConfigError(
            f"There is no built-in portrait {portrait_id!r}.", remedy=f"Choose one of: {', '.join(known)}."
        )
    return Portrait.load(known[portrait_id].path)
