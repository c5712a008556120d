"""The report holds what each way to quantize weighs and loses, and marks the smallest that keeps the bound."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from tests import models
from tfjs_magic import AutoQuantize, convert, quantization_report
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import OptionError, UnsupportedModelError
from tfjs_magic.quantization.plot import Point, size_error_svg
from tfjs_magic.quantizing import QuantizationReport

_WAYS = ["float32", "float16", "uint16", "uint8"]


@pytest.fixture(scope="module")
def samples() -> Array:
    (tensor,) = models.small_cnn().inputs
    return np.random.default_rng(1).normal(size=(40, *tensor.shape[1:])).astype(np.float32)


@pytest.fixture(scope="module")
def report(samples: Array) -> QuantizationReport:
    return quantization_report(models.small_cnn(), samples, bounds=[{"max_error": 0.01}, {"min_cosine": 0.999}])


def test_every_way_is_a_model_with_its_row(report: QuantizationReport) -> None:
    ways = [*_WAYS, "auto, max_error=0.01", "auto, min_cosine=0.999"]
    assert [row["way"] for row in report.rows] == ways == [*report.models]
    assert [row["bytes"] for row in report.rows] == [web.nbytes for web in report.models.values()]
    float32, float16, uint16, uint8, *_ = report.rows
    assert float32["error"] == float32["max_error"] == 0
    assert 0 < uint16["error"] < uint8["error"]
    assert uint8["bytes"] < uint16["bytes"] == float16["bytes"] < float32["bytes"]
    assert all(row["accuracy"] is None and 0 <= row["top1"] <= 1 for row in report.rows)
    assert "Measured on 10 samples, which no search has seen" in report.notes[0]


def test_the_smallest_that_keeps_the_first_bound_is_chosen(report: QuantizationReport) -> None:
    kept = [row for row in report.rows if row["max_error"] <= 0.01]
    assert [row["way"] for row in report.rows if row["keeps"]] == [row["way"] for row in kept]
    assert report.chosen == min(kept, key=lambda row: row["bytes"])["way"]
    assert report.model is report.models[report.chosen]


def test_models_are_those_that_convert_makes(report: QuantizationReport, samples: Array) -> None:
    auto = AutoQuantize(samples=samples, max_error=0.01)
    for way, quantize in (("uint8", "uint8"), ("auto, max_error=0.01", auto)):
        web = convert(models.small_cnn(), quantize=quantize)  # type: ignore[arg-type]
        assert web.read_weights(0, web.nbytes) == report.models[way].read_weights(0, web.nbytes)


def test_a_bound_that_cannot_be_met_is_a_note(samples: Array) -> None:
    report = quantization_report(models.small_cnn(), samples, bounds=[{"max_error": 1e-9}])
    assert [*report.models] == _WAYS
    assert report.chosen == "float32"
    assert "auto, max_error=1e-09: No quantization meets max_error=1e-09" in report.notes[1]


def test_labels_choose_by_accuracy(samples: Array) -> None:
    model = models.small_cnn()
    (logits,) = models.keras_outputs(model, {model.inputs[0].name: samples}).values()
    report = quantization_report(model, samples, logits.argmax(-1), held_back=0)
    assert report.bound == "min_accuracy=0.99"
    assert report.rows[0]["accuracy"] == 1
    assert report.model.nbytes < 0.4 * report.models["float32"].nbytes
    assert "which the searches have seen, too" in report.notes[0]


def test_a_metric_may_choose(samples: Array) -> None:
    bound = {"metric": lambda outputs, _: -float(np.abs(outputs[0]).max()), "min_metric": -1e9}
    report = quantization_report(models.small_cnn(), samples, bounds=[bound])
    assert all(row["keeps"] for row in report.rows)
    assert report.bound == "min_metric=-1e+09"


@pytest.mark.parametrize(
    ("classes", "labels", "found"),
    [
        pytest.param(1, np.arange(40) % 2, r"output 0 has shape \(10, 1\)", id="one-number"),
        pytest.param(4, np.arange(40) % 4 + 1, "1 to 4; expected the number of a class, 0 to 3", id="from-one"),
        pytest.param(4, np.eye(4)[np.arange(40) % 4], "argmax", id="one-hot"),
    ],
)
def test_labels_without_an_accuracy_are_told(classes: int, labels: Array, found: str) -> None:
    import keras

    inputs = keras.Input((6,))
    model = models.randomised(keras.Model(inputs, keras.layers.Dense(classes)(inputs)))
    samples = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    report = quantization_report(model, samples, labels)
    assert report.bound == "max_error=0.01"
    assert all(row["accuracy"] is None for row in report.rows)
    assert re.search(f"There is no accuracy: labels are .*{found}", report.notes[-1])


def test_the_bound_on_accuracy_is_one_that_float32_keeps_everywhere(samples: Array) -> None:
    """The samples of the searches may be harder than those that are held back."""
    model = models.small_cnn()
    (logits,) = models.keras_outputs(model, {model.inputs[0].name: samples}).values()
    labels = logits.argmax(-1)
    labels[:6] = (labels[:6] + 1) % logits.shape[-1]
    report = quantization_report(model, samples, labels)
    assert report.bound == "min_accuracy=0.79"
    assert "auto, min_accuracy=0.79" in report.models


def test_two_metrics_with_one_bound_are_two_ways(samples: Array) -> None:
    bounds = [{"metric": lambda *_: 1.0, "min_metric": 0.5}, {"metric": lambda *_: 2.0, "min_metric": 0.5}]
    report = quantization_report(models.small_cnn(), samples, bounds=bounds)
    assert [*report.models][-2:] == ["auto, min_metric=0.5", "auto, min_metric=0.5 (2)"]


def test_it_reads_as_text_table_and_json(report: QuantizationReport) -> None:
    text = repr(report)
    assert f"Chosen: '{report.chosen}', the smallest that keeps max_error=0.01" in text
    assert all(f"\n{way} " in f"\n{text}" for way in report.models)
    assert [*report.to_dataframe()["way"]] == [*report.models]
    found = json.loads(report.to_json())
    assert found["chosen"] == report.chosen
    assert found["rows"][1]["bytes"] == report.rows[1]["bytes"]


def test_the_notebook_shows_plot_and_table_that_assistive_technology_reads(report: QuantizationReport) -> None:
    shown = ET.fromstring(report._repr_html_())
    svg = shown.find("{http://www.w3.org/2000/svg}svg")
    assert svg is not None
    assert svg.get("role") == "img"
    label = svg.get("aria-label") or ""
    assert all(way in label for way in report.models)
    assert f"Chosen: {report.chosen}." in label
    assert [head.get("scope") for head in shown.iter("th")].count("row") == len(report.models)


def test_a_name_is_no_markup() -> None:
    svg = size_error_svg([Point('<b>"&', 10, 0.1, chosen=True)])
    assert "<b>" not in svg
    ET.fromstring(svg)


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param([], id="none"),
        pytest.param([0.0, 0.0], id="no-error"),
        pytest.param([float("nan"), float("inf"), 0.1], id="no-number"),
        pytest.param([1e-30, 1e30, 0.0], id="far-apart"),
        pytest.param([0.1] * 12, id="all-at-one-place"),
    ],
)
def test_any_errors_can_be_drawn_inside(errors: list[float]) -> None:
    svg = ET.fromstring(
        size_error_svg([Point(f"way {i}", 0 if i % 2 else 1000, e, chosen=False) for i, e in enumerate(errors)])
    )
    for circle in svg.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(circle.get("cx", -1)) <= 360
        assert 0 <= float(circle.get("cy", -1)) <= 270
    for text in svg.iter("{http://www.w3.org/2000/svg}text"):
        assert 0 <= float(text.get("x", -1)) <= 360


def test_all_of_them_take_turns_in_the_browser(report: QuantizationReport) -> None:
    bench = report.benchmark(runs=3, backends=["wasm"])
    assert [card["label"] for card in bench.state["models"]] == [*report.models]


def test_they_take_turns_in_a_browser_of_their_own(report: QuantizationReport) -> None:
    with pytest.raises(OptionError, match="expected one of chrome, firefox"):
        report.benchmark(browser="netscape")


def test_what_does_not_fit_is_said(samples: Array) -> None:
    model = models.small_cnn()
    with pytest.raises(OptionError, match="bounds is empty"):
        quantization_report(model, samples, bounds=[])
    with pytest.raises(OptionError, match="expected a list of dicts"):
        quantization_report(model, samples, bounds={"max_error": 0.1})  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="labels are 2 for 40 samples"):
        quantization_report(model, samples, [0, 1])
    with pytest.raises(UnsupportedModelError, match="is quantized already"):
        quantization_report(convert(model, quantize="uint8"), samples)
    with pytest.raises(OptionError, match="no bound; expected one of"):
        quantization_report(model, samples, bounds=[{}])


def test_an_option_that_does_not_exist_is_named(samples: Array) -> None:
    bounds: list[Any] = [{"max_eror": 0.1}]
    with pytest.raises(OptionError, match=r"max_eror.*max_error"):
        quantization_report(models.small_cnn(), samples, bounds=bounds)
