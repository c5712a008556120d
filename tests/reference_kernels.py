"""Expected values from kernels that TensorFlow has on every CPU.

Some it has in oneDNN alone, which it switches on by itself where the CPU has AVX-512: convolutions with the channels
first, and dilated ones that are depthwise, transposed or 3-D. A kernel spread with zeros and moved axes give the same
everywhere. ``TF_ENABLE_ONEDNN_OPTS=0`` and ``=1`` make either kind of machine out of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def spread(kernel: Any, rates: Sequence[int]) -> Any:
    """Return the kernel with rate - 1 zeros between its values, for the leading axes: dilated, without a dilation."""
    kernel = tf.convert_to_tensor(kernel)
    for axis, rate in enumerate(rates):
        shape = kernel.shape.as_list()
        zeros = [tf.zeros_like(kernel)] * (rate - 1)
        long = [*shape[:axis], shape[axis] * rate, *shape[axis + 1 :]]
        kernel = tf.reshape(tf.stack([kernel, *zeros], axis + 1), long)
        kernel = tf.gather(kernel, tf.range((shape[axis] - 1) * rate + 1), axis=axis)
    return kernel


def channels_first(function: Callable[[Any], Any], rank: int = 4) -> Callable[[Any], Any]:
    """Let a function of channels-last data take and give channels-first data."""
    to_last, to_first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
    return lambda x: tf.transpose(function(tf.transpose(x, to_last)), to_first)
