"""Let Python's garbage collector wait until a conversion is done, and look at what that has made alone.

TensorFlow's modules are 400,000 objects. While a model is traced and its graph written, Python goes through all of
them once to three times, 0.2 to 0.3 s each, and finds next to nothing. What is garbage afterwards is young, and found
in 0.03 to 0.15 s without them. Those collections also freed what the user had left behind, such as the model before:
so all objects are looked at where many have grown old between conversions, and after every tenth.

Measured with CPython 3.11, ``Modules/gcmodule.c``, which has three generations.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Iterator

_YOUNG, _OLD = 1, 2
#: Of as many objects more than after the last collection of all of them, some are taken to be garbage.
_GROWTH = 1.05
_MOST_CONVERSIONS = 10


class _Pause:
    """A pause of the collector; a second conversion meanwhile, in another thread, ends it: else it might never end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # what is collected may convert in its finalizer
        self._paused = False
        self._old = 0
        self._conversions = 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Pause while the block runs; where the user has switched the collector off, leave it alone."""
        with self._lock:
            was_paused = self._paused
            self._paused = not was_paused and gc.isenabled()
            if self._paused:
                self._old = self._old or len(gc.get_objects(_OLD))
                gc.disable()
            elif was_paused:
                gc.enable()
            began = self._paused
        try:
            yield
        finally:
            if began:
                self._end()

    def _end(self) -> None:
        with self._lock:
            if not self._paused:
                return
            self._conversions += 1
            try:
                gc.collect(_YOUNG)
                if self._conversions >= _MOST_CONVERSIONS or len(gc.get_objects(_OLD)) > self._old * _GROWTH:
                    gc.collect()
                    self._old, self._conversions = len(gc.get_objects(_OLD)), 0
            finally:  # a KeyboardInterrupt comes as soon as the collection is done
                self._paused = False
                gc.enable()


collected_afterwards = _Pause()
