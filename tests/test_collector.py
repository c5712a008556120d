"""Tests that a conversion keeps Python's collector off, leaves no garbage, and gives the user's own setting back."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import keras
import numpy as np
import pytest

from tests.models import dense
from tfjs_magic import AutoQuantize, convert
from tfjs_magic.collector import collected_afterwards


class _Knot:
    """What only the collector frees."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def _enabled() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_a_conversion_pauses_the_collector() -> None:
    states: list[bool] = []
    convert(dense(), format="graph", progress=lambda _: states.append(gc.isenabled()))
    assert not any(states)
    assert states
    assert gc.isenabled()


def test_a_search_for_codes_does_not() -> None:
    states: dict[str, bool] = {}
    samples = np.ones((4, 3), np.float32)
    auto = AutoQuantize(samples=samples, max_error=0.5)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    convert(model, format="graph", quantize=auto, progress=lambda step: states.setdefault(step, gc.isenabled()))
    assert states["quantize"]
    assert not states["passes"]


def test_what_it_leaves_is_freed() -> None:
    with collected_afterwards():
        left = weakref.ref(_Knot())
        assert left() is not None
    assert left() is None


def test_an_error_gives_the_setting_back() -> None:
    with pytest.raises(KeyError), collected_afterwards():
        raise KeyError
    assert gc.isenabled()


def test_an_interrupt_while_it_collects_gives_the_setting_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_generation: int = 2) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(gc, "collect", interrupted)
    with pytest.raises(KeyboardInterrupt), collected_afterwards():
        pass
    assert gc.isenabled()
    monkeypatch.undo()
    with collected_afterwards():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_is_collected_may_convert() -> None:
    class _Converting(_Knot):
        def __del__(self) -> None:
            with collected_afterwards():
                freed.append(True)

    freed: list[bool] = []

    def run() -> None:
        with collected_afterwards():
            _Converting()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert freed
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    with collected_afterwards():
        assert not gc.isenabled()
        left = weakref.ref(_Knot())
    assert left() is not None
    assert not gc.isenabled()


def test_two_conversions_at_once_go_on_without_a_pause() -> None:
    """Else conversions that follow each other on several threads would never let the collector run."""
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with collected_afterwards():
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=other)
    with collected_afterwards():
        thread.start()
        inside.wait(10)
        assert gc.isenabled()
    assert gc.isenabled()
    with collected_afterwards():
        assert not gc.isenabled()
        done.set()
        thread.join()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_old_garbage_is_freed_after_ten_conversions() -> None:
    """The model that the user has left behind is old by then."""
    knot = _Knot()
    gc.collect()  # it is in the oldest generation
    left = weakref.ref(knot)
    del knot
    for _ in range(10):
        with collected_afterwards():
            pass
    assert left() is None
