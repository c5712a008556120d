"""The report says how long the layers of this very model take as a graph model, as far as it was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest

from tests.layers.cases import on
from tests.models import layers
from tfjs_magic import convert
from tfjs_magic.layers.format_speed import MEASURED
from tfjs_magic.writers.summary import summary_text

IMAGE, SEQUENCE = (8, 8, 3), (5, 4)
Norm = layers.BatchNormalization


def said(*kinds: str) -> str:
    times = ", ".join(f"{MEASURED[kind]:.2f} for {kind}" for kind in kinds)
    return f"A graph model (format='graph') takes of a layers model's time, measured on wasm: {times}."


@pytest.mark.parametrize(
    ("build", "kinds"),
    [
        pytest.param(lambda: on(SEQUENCE, layers.LSTM(3), layers.Dense(2)), ["LSTM"], id="LSTM"),
        pytest.param(
            lambda: on(SEQUENCE, layers.Bidirectional(layers.LSTM(3))), ["Bidirectional LSTM"], id="Bidirectional"
        ),
        pytest.param(
            lambda: on(IMAGE, layers.Conv2D(3, 3), Norm(), layers.Conv2D(3, 3), layers.Conv2D(3, 3)),
            ["Conv2D", "Conv2D with BatchNormalization"],
            id="with-and-without-norm",
        ),
        pytest.param(
            lambda: on(IMAGE, keras.Sequential([keras.Input(IMAGE), layers.DepthwiseConv2D(3)])),
            ["DepthwiseConv2D"],
            id="nested",
        ),
    ],
)
def test_measured_kinds_are_named_most_frequent_first(build: Callable[[], Any], kinds: list[str]) -> None:
    model = convert(build())
    assert model.report.speed == said(*kinds)
    assert f"trainable in TF.js. {said(*kinds)}" in summary_text(model)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: on((4,), layers.Activation("relu")), id="not-measured"),
        pytest.param(lambda: on(SEQUENCE, layers.GRU(3)), id="several-layers-of-tfjs"),
        pytest.param(lambda: on(SEQUENCE, layers.Bidirectional(layers.GRU(3, reset_after=False))), id="other-inside"),
    ],
)
def test_nothing_is_said_of_what_was_not_measured(build: Callable[[], Any]) -> None:
    model = convert(build())
    assert (model.format, model.report.speed) == ("layers-model", "")
    assert "training: trainable in TF.js.\n" in summary_text(model)


def test_a_folded_norm_no_longer_counts() -> None:
    model = convert(on(IMAGE, layers.Conv2D(3, 3), Norm()), inference=True)
    assert model.report.speed == said("Conv2D")
