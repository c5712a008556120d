"""Who may use this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tfjs_magic.sweeping.turns import converting, measuring

_PATIENCE_S = 0.5


def _hold(name: str, entered: Any, leave: Any) -> None:
    with (converting if name == "convert" else measuring)("chrome"):
        entered.set()
        leave.wait()


@pytest.mark.parametrize("kind", ["thread", "process"])
@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ("convert", "convert", True),
        ("convert", "measure", False),
        ("measure", "convert", False),
        ("measure", "measure", False),
    ],
)
def test_one_measures_and_then_nobody_converts(kind: str, first: str, second: str, *, together: bool) -> None:
    context = multiprocessing.get_context("spawn")
    event: Callable[[], Any] = threading.Event if kind == "thread" else context.Event
    make: Any = threading.Thread if kind == "thread" else context.Process
    entered, leave = [event(), event()], event()
    workers = [
        make(target=_hold, args=(name, mine, leave)) for name, mine in zip((first, second), entered, strict=True)
    ]
    workers[0].start()
    assert entered[0].wait(60)
    workers[1].start()
    try:
        if together:
            assert entered[1].wait(60)
        else:
            assert not entered[1].wait(_PATIENCE_S)
    finally:
        leave.set()
    assert entered[1].wait(60)
    for worker in workers:
        worker.join(60)


def test_a_browser_elsewhere_waits_for_no_conversion_here() -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(converting("http://grid:4444"))
        stack.enter_context(measuring("http://grid:4444"))
        stack.enter_context(converting(None))
