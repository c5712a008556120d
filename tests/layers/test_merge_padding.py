"""A ZeroPadding2D before a convolution is merged where "same" padding adds the same zeros; nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode, forwards
from tests.graph_text import BACKENDS
from tests.layers.cases import on
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic.options import Backend

EVEN, ODD = (8, 6, 3), (7, 9, 3)


def two_readers() -> Any:
    inputs = keras.Input(EVEN, name="x")
    padded = layers.ZeroPadding2D(1)(inputs)
    return keras.Model(inputs, layers.Add()([layers.Conv2D(3, 3, name="a")(padded), layers.Conv2D(3, 3)(padded)]))


def padding_is_an_output() -> Any:
    inputs = keras.Input(EVEN, name="x")
    padded = layers.ZeroPadding2D(1)(inputs)
    return keras.Model(inputs, [padded, layers.Conv2D(3, 3)(padded)])


def shared() -> Any:
    inputs, conv, pad = keras.Input(EVEN, name="x"), layers.Conv2D(3, 3), layers.ZeroPadding2D(1)
    return keras.Model(inputs, conv(pad(conv(pad(inputs)))))


def right_and_bottom() -> Any:
    return layers.ZeroPadding2D(((0, 1), (0, 1)))


MERGED: dict[str, Callable[[], Any]] = {
    "around": lambda: on(EVEN, layers.ZeroPadding2D(1), layers.Conv2D(4, 3)),
    "of-strides": lambda: on(EVEN, right_and_bottom(), layers.Conv2D(4, 3, strides=2)),
    "of-strides-odd": lambda: on(ODD, layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2)),
    "depthwise": lambda: on(EVEN, right_and_bottom(), layers.DepthwiseConv2D(3, strides=2)),
    "separable": lambda: on(EVEN, layers.ZeroPadding2D(2), layers.SeparableConv2D(4, 5)),
    "oblong": lambda: on(EVEN, layers.ZeroPadding2D((1, 2)), layers.Conv2D(4, (3, 5))),
    "in-a-row": lambda: on(EVEN, *(one for _ in range(2) for one in (layers.ZeroPadding2D(1), layers.Conv2D(4, 3)))),
}
KEPT: dict[str, Callable[[], Any]] = {
    "other-zeros": lambda: on(EVEN, layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2)),
    "too-many": lambda: on(EVEN, layers.ZeroPadding2D(2), layers.Conv2D(4, 3)),
    "one-side": lambda: on(EVEN, right_and_bottom(), layers.Conv2D(4, 3)),
    "already-same": lambda: on(EVEN, layers.ZeroPadding2D(1), layers.Conv2D(4, 3, padding="same")),
    "unknown-size": lambda: on((None, None, 3), layers.ZeroPadding2D(1), layers.Conv2D(4, 3)),
    "dilation": lambda: on(EVEN, layers.ZeroPadding2D(2), layers.Conv2D(4, 3, dilation_rate=2)),
    "stride-beyond-kernel": lambda: on(
        (7, 7, 3), layers.ZeroPadding2D(((1, 1), (1, 1))), layers.Conv2D(4, 2, strides=3)
    ),
    "channels-first": lambda: on(
        (3, 8, 6),
        layers.ZeroPadding2D(1, data_format="channels_first"),
        layers.Conv2D(4, 3, data_format="channels_first"),
    ),
    "two-readers": two_readers,
    "padding-is-an-output": padding_is_an_output,
    "shared": shared,
    "pooling": lambda: on(EVEN, layers.ZeroPadding2D(1), layers.MaxPooling2D(3, 1)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", [*MERGED, *KEPT])
def test_padding_gives_keras_numbers(case: str, backend: Backend, tfjs_node: TfjsNode) -> None:
    model = randomised((MERGED | KEPT)[case]())
    result = converted(model)
    assert ("ZeroPadding2D" in result.classes) == (case in KEPT)
    feeds = [samples_of(result.inputs, seed) for seed in (0, 1)]
    references = [keras_outputs(model, feed) for feed in feeds]
    assert_telling(*references)
    got = tfjs_node.run_each(packed(result), feeds, backend, forward=forwards(backend)[-1])
    for actual, reference in zip(got, references, strict=True):
        assert_matches(actual, reference)


def test_the_padding_is_gone_by_name() -> None:
    model = on(EVEN, layers.ZeroPadding2D(1), layers.Conv2D(4, 3))
    padding, conv = converted(model).layers
    assert (padding.tensor, padding.why_not) == ("", "it is merged into the layer after it")
    assert (conv.tensor, conv.inputs) == (model.layers[2].name, ())
