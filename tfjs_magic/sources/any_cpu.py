"""Let Python compute what TensorFlow has no kernel for on this CPU.

Convolutions with channels first, transposed ones with dilation and depthwise ones with unlike strides have CPU kernels
only in oneDNN, which TensorFlow uses by default only where the CPU has AVX-512. XLA makes its own kernels, on any CPU.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Callable
from typing import Any

#: What kernels say of a layout, a dilation or strides that they lack. Any other error of TensorFlow stays one: XLA
#: would check neither indices nor assertions.
_LACKS = re.compile(r"(only|not( yet)?) support")


def on_any_cpu(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``run``, compiled by XLA where TensorFlow lacks a kernel; if XLA fails too, TensorFlow's error is raised.

    Args:
        run: Takes tensors and returns tensors, in any structure.
    """
    compiled = by_xla(run)

    def computed(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except Exception as error:
            if _lacks_kernel(error):
                with contextlib.suppress(Exception):
                    return compiled(*args, **kwargs)
            raise

    return computed


def by_xla(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``run``, compiled by XLA when it is called first: without oneDNN, which rounds in its own way."""

    @functools.cache
    def compiled() -> Callable[..., Any]:
        import tensorflow as tf  # noqa: PLC0415 - a Keras model may run without it

        function: Callable[..., Any] = tf.function(run, autograph=False, jit_compile=True)
        return function

    def computed(*args: Any, **kwargs: Any) -> Any:
        return compiled()(*args, **kwargs)

    return computed


def _lacks_kernel(error: Exception) -> bool:
    tf = sys.modules.get("tensorflow")
    kinds = () if tf is None else (tf.errors.UnimplementedError, tf.errors.InvalidArgumentError)
    return isinstance(error, kinds) and _LACKS.search(str(error)) is not None
