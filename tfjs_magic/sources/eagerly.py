"""Work outside whatever TensorFlow is doing: a function that is traced, a graph, a strategy, a tape that records."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eagerly(run: Callable[[], T]) -> T:
    """Call ``run`` as at the top of a program; where TensorFlow is not loaded, nothing is in the way."""
    if "tensorflow" not in sys.modules:
        return run()
    import tensorflow as tf  # noqa: PLC0415 - it is loaded, or a thread is loading it

    elsewhere = not tf.executing_eagerly() or tf.distribute.has_strategy()
    with contextlib.ExitStack() as scopes:
        scopes.enter_context(tf.init_scope())
        if elsewhere:  # strategies, and what counts the variables of a function, belong to a graph; a new one has none
            scopes.enter_context(tf.Graph().as_default())
            scopes.enter_context(tf.__internal__.eager_context.eager_mode())
        unconverted: Callable[[], T] = tf.autograph.experimental.do_not_convert(run)
        return unconverted()
