"""Waiting for what another thread does, with an end to it."""

import time
from collections.abc import Callable


def wait_until(true: Callable[[], bool], timeout_s: float = 10) -> None:
    """Look every few milliseconds until it is true; fail after the timeout."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
