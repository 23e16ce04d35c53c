"""The server runs on uvloop, a library's user may run on asyncio's own loop: sessions work on both."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from stand_ins import BarFace, Microphone, call, syllables

from mien.streaming.lobby import Lobby
from mien.streaming.session import SessionSettings, SessionStats


async def converse() -> tuple[int, float, SessionStats]:
    lobby = Lobby(lambda settings: BarFace(settings.size), 1)
    settings = SessionSettings(portrait="bar", size=(128, 128))
    async with call(lobby, settings, Microphone(syllables(5, 48_000))) as (session, caller):
        async with asyncio.timeout(10):
            while len(caller.seen.pictures) < 40:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        stats = session.stats()
    await lobby.close()
    return len(asyncio.all_tasks()), max(level for _, _, level in caller.seen.pictures), stats


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_session_runs_on_either_loop(
    run: Callable[[Coroutine[Any, Any, Any]], tuple[int, float, SessionStats]],
) -> None:
    tasks, loudest, stats = run(converse())
    assert tasks == 1
    assert loudest > 0.1
    assert stats.sound_to_picture_ms["p50"] > 80
