"""A layers model's report names the backends that compute one of its layers wrongly, and they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.compare import relative_error
from tests.conformance.node import JsError, TfjsNode
from tests.layers.cases import SEQUENCE, TOKENS, on
from tests.models import keras_outputs, layers, randomised, samples_of
from tfjs_magic import convert
from tfjs_magic.options import BACKENDS

TOLERANCE = 1e-4

#: Name → the model, and the classes that webgpu computes wrongly.
CASES: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "masking": (lambda: on(SEQUENCE, layers.Masking(0.0), layers.SimpleRNN(3)), ("SimpleRNN",)),
    "embedding": (
        lambda: on(TOKENS, layers.Embedding(7, 4, mask_zero=True), layers.Bidirectional(layers.LSTM(3))),
        ("Bidirectional",),
    ),
    "two": (
        lambda: on(SEQUENCE, layers.Masking(0.0), layers.LSTM(3, return_sequences=True), layers.SimpleRNN(3)),
        ("LSTM", "SimpleRNN"),
    ),
    "permuted-integers": (
        lambda: on(TOKENS, layers.Reshape((7, 1)), layers.Permute((2, 1)), layers.Reshape((7,)), dtype="int32"),
        ("Permute",),
    ),
    "integers-reshaped": (lambda: on(TOKENS, layers.Reshape((7, 1)), layers.Flatten(), dtype="int32"), ()),
    "images-backwards": (lambda: on((3, 6, 5, 2), layers.ConvLSTM2D(2, 3, go_backwards=True)), ("ConvLSTM2D",)),
    "images": (lambda: on((3, 6, 5, 2), layers.ConvLSTM2D(2, 3)), ()),
    "no-mask": (lambda: on(SEQUENCE, layers.LSTM(3)), ()),
    "nothing-that-reads-it": (lambda: on(SEQUENCE, layers.Masking(0.0), layers.Dense(3)), ()),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_report_names_what_is_wrong(tfjs_node: TfjsNode, case: str) -> None:
    build, wrong = CASES[case]
    model = randomised(build())
    result = convert(model, format="layers")
    on_webgl = wrong if case == "images-backwards" else ()
    assert result.report.backends == {"cpu": (), "wasm": (), "webgl": on_webgl, "webgpu": wrong}
    feed = samples_of(result.inputs)
    (expected,) = keras_outputs(model, feed).values()
    for backend in BACKENDS:
        try:
            (got,) = tfjs_node.run_each(result, [feed], backend, forward=False)[0].values()
            error = relative_error(got, expected)
        except JsError:
            error = float("inf")
        assert (error > TOLERANCE) == bool(result.report.backends[backend])
