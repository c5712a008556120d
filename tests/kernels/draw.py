"""The operands with which an op is called, and how an op is called with them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tfjs_magic.artifacts import Array

#: What the numbers of an operand must be for the op to be defined, and for small errors not to grow.
Domain = Literal["any", "positive", "unit", "above one", "small", "ascending"]

#: Shapes by their number of axes: large enough that no wrong value is right by chance.
SHAPES = ((), (24,), (6, 8), (4, 3, 4), (2, 3, 4, 3), (2, 3, 2, 3, 2), (2, 3, 2, 2, 3, 2))
_WORDS = np.array(["ant", "bee", "cat", "", "dog", "Ant"], object)
FEEDS = 4


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How an op is called.

    Attributes:
        call: Makes the op's outputs from a :class:`Draw` and a number of axes.
        ranks: The numbers of axes to try.
        types: Attributes whose dtypes are tried, in turn; the first is that of the data.
        attrs: What to give beside the defaults, one after the other.
        forms: Ways in which the second operand of two is broadcast.
        large: Whether integers beyond 2^24 have a result that fits int32.
        dtypes: What TF.js has and TensorFlow computes rightly.
    """

    call: Callable[[Draw, int], Any]
    ranks: Sequence[int] = range(7)
    types: tuple[str, ...] = ("T",)
    attrs: tuple[Mapping[str, Any], ...] = ()
    forms: tuple[str, ...] = ()
    large: bool = True
    dtypes: Sequence[tf.DType] = (tf.float32, tf.int32, tf.bool, tf.string, tf.complex64)


class Draw:
    """Makes the operands of one trial in the current v1 graph, and remembers what is fed."""

    def __init__(
        self, op: str, dtypes: Mapping[str, tf.DType], *, attrs: Mapping[str, Any], form: str, large: bool
    ) -> None:
        self.op = functools.partial(getattr(tf.raw_ops, op), **attrs)
        self.dtypes = dtypes
        self.form = form
        self.large = large
        self.feeds: dict[str, list[Array]] = {}
        given = op_def_registry.get(op).input_arg
        self._dtype = next(iter(dtypes.values()), tf.as_dtype(given[0].type or tf.float32))
        self._rng = np.random.default_rng([len(op), sum(map(ord, op)), len(form)])

    def fed(self, shape: int | Sequence[int], domain: Domain = "any", dtype: tf.DType | None = None) -> Any:
        """Return a placeholder of a shape, or of a number of axes."""
        shape = SHAPES[shape] if isinstance(shape, int) else tuple(shape)
        dtype = dtype or self._dtype
        placeholder = tf.compat.v1.placeholder(dtype, shape)
        self.feeds[placeholder.op.name] = [self.numbers(shape, domain, dtype) for _ in range(FEEDS)]
        return placeholder

    def numbers(self, shape: Sequence[int], domain: Domain = "any", dtype: tf.DType | None = None) -> Array:
        """Return an array of the dtype that is measured."""
        rng, dtype = self._rng, dtype or self._dtype
        if dtype == tf.string:
            return rng.choice(_WORDS, shape)
        if dtype == tf.bool:
            return np.asarray(rng.random(shape) < 0.5)
        if dtype == tf.complex64:
            return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)
        low, high = {
            "any": (-3.0, 3.0),
            "positive": (0.2, 3.0),
            "unit": (-0.9, 0.9),
            "above one": (1.1, 4.0),
            "small": (-2.0, 2.0),
            "ascending": (-3.0, 3.0),
        }[domain]
        values = rng.uniform(low, high, shape)
        if dtype == tf.int32:
            values = np.trunc(values * 3) + (domain in {"positive", "above one"})
            if self.large and domain != "small":
                values = values * 4e7 + 1 + 2 * rng.integers(0, 50, shape)
        if domain == "ascending":
            values = np.sort(values)
        return np.asarray(values).astype(dtype.as_numpy_dtype)

    def other(self, rank: int, domain: Domain = "any") -> tuple[Any, Any]:
        """Return two operands that are broadcast in the form that is measured."""
        shape = SHAPES[rank]
        if self.form == "both":
            one, two = [[1 if i % 2 == parity else side for i, side in enumerate(shape)] for parity in (0, 1)]
            return self.fed(one), self.fed(two, domain)
        second = {
            "": shape,
            "scalar": (),
            "vector": shape[-1:],
            "one": [1 if i == rank // 2 else side for i, side in enumerate(shape)],
        }[self.form]
        return self.fed(shape), self.fed(second, domain)
