"""The search for the layer that differs: it names the right one, says what it cannot see, and keeps its bounds."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import tfjs_magic
from tests.bench.reports import JOB, task, task_report
from tests.bench.test_session import Page
from tests.bench.test_tasks import finished
from tests.bench.tiny import dense, tiny_model
from tests.conformance.node import TfjsNode
from tests.inner_outputs import actual_layers, spoiled
from tests.models import branched, lstm_text, samples_of, shared_weights
from tfjs_magic.artifacts import LayerTensor, Quantization, Reference
from tfjs_magic.bench import layer_search
from tfjs_magic.bench.divergence import Divergence
from tfjs_magic.bench.layer_search import LayerSearch, NoLayersError
from tfjs_magic.bench.verify import bound_of
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import Backend


def search(model: TfjsModel, node: TfjsNode, backend: Backend = "cpu", tolerance: float | None = None) -> Divergence:
    """Search in Node, whose copy of a layers model does not give what an activation gets."""
    model = dataclasses.replace(model, layers=tuple(layer for layer in model.layers if ":before" not in layer.tensor))
    feed = samples_of(model.inputs, batch=1)
    quantized = any(spec.quantization for group in model.groups for spec in group.specs)
    found = LayerSearch(
        model,
        feed,
        feed_index=0,
        bound=bound_of(backend, tolerance),
        quantized=quantized and tolerance is None,
    )
    actual = actual_layers(node, model, feed, backend)
    by_tensor = {layer.tensor: actual[layer.label] for layer in model.layers if layer.label in actual}
    result = None
    for group, tensors in enumerate(found.groups):
        result = found.compare(group, [by_tensor[tensor] for tensor in tensors])
    assert result is not None
    assert result["complete"]
    json.dumps(result, allow_nan=False)
    return Divergence.from_wire("network", backend, result)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("format", ["graph", "layers"])
@pytest.mark.parametrize("wrong", ["first", "conv", "left", "right", "head"])
def test_a_wrong_constant_in_the_middle_names_its_layer(
    wrong: str,
    format: Any,  # noqa: A002 - the field's word
    backend: Backend,
    tfjs_node: TfjsNode,
) -> None:
    model = tfjs_magic.convert(branched(), format=format)
    right = search(model, tfjs_node, backend)
    assert (right.first, right.sentence) == ("", f"{_held(right)} layers have a value of their own, and all agree.")
    found = search(spoiled(model, f"{wrong}/kernel"), tfjs_node, backend)
    fused = format == "graph" and wrong == "conv"
    assert found.first.partition(" (before")[0] == ("relu" if fused else wrong)
    assert f"'{found.first}'" in found.sentence
    assert ("Its node in the graph computes 'conv', 'norm', too." in found.sentence) == fused
    assert [row["passed"] for row in found.rows[: _place(found)]] == [True] * _place(found)


def _held(found: Divergence) -> int:
    return sum(row["max_rel_error"] is not None for row in found.rows)


def _place(found: Divergence) -> int:
    return [row["layer"] for row in found.rows].index(found.first)


def test_a_layer_that_is_called_several_times_is_named_as_possible(tfjs_node: TfjsNode) -> None:
    """No layer of a layers model has the output of each of its calls."""
    model = tfjs_magic.convert(shared_weights(), format="layers")
    found = search(spoiled(model, "shared/kernel"), tfjs_node)
    row = next(row for row in found.rows if row["layer"] == "shared")
    assert row["note"] == "it is called several times"
    assert found.first
    assert found.sentence.endswith(" Or the fault is before it, in 'shared', not compared by itself.")
    assert "What goes into it" not in found.sentence


def test_outputs_that_only_differ_at_masked_steps_are_no_fault(tfjs_node: TfjsNode) -> None:
    model = tfjs_magic.convert(lstm_text(), format="layers")
    dense_kernel = next(spec.name for spec in model.groups[0].specs if spec.name.startswith("dense"))
    found = search(spoiled(model, dense_kernel), tfjs_node)
    notes = {row["layer_class"]: row["note"] for row in found.rows}
    assert notes["Bidirectional"] == "Keras sets its outputs at masked steps to zero, TF.js does not"
    assert found.first.startswith("dense")


@pytest.mark.parametrize("quantize", [None, "uint8"])
def test_a_model_that_is_converted_again_keeps_its_layers(quantize: Any, tfjs_node: TfjsNode) -> None:
    first = tfjs_magic.convert(branched(), format="graph")
    again = tfjs_magic.convert(first, quantize=quantize)
    assert again.layers == first.layers
    found = search(spoiled(again, "left/kernel") if quantize is None else again, tfjs_node, tolerance=1e-4)
    assert found.first.partition(" (before")[0] == ("left" if quantize is None else "first")


def test_of_a_quantized_model_it_says_what_each_layer_adds(tfjs_node: TfjsNode) -> None:
    model = tfjs_magic.convert(branched(), format="graph", quantize={"uint8": ["*left/kernel"]})
    found = search(model, tfjs_node)
    assert found.first.startswith("left")
    assert found.sentence.startswith("The weights are quantized. 'left")
    assert "adds the most" in found.sentence
    added = {row["layer"]: row["added"] for row in found.rows if row["added"] is not None}
    assert max(added, key=added.__getitem__) == found.first
    assert all(row["passed"] for row in found.rows)
    strict = search(model, tfjs_node, tolerance=1e-6)
    assert strict.first.startswith("left")
    assert "first layer beyond the bound" in strict.sentence


def test_large_outputs_travel_in_groups_and_the_largest_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tfjs_magic.convert(branched(), format="graph")
    feed = samples_of(model.inputs, batch=1)

    def searched() -> LayerSearch:
        return LayerSearch(model, feed, feed_index=0, bound=1e-4, quantized=False)

    (everything,) = searched().groups
    monkeypatch.setattr(layer_search, "GROUP_BYTES", 100)
    assert [tensor for group in searched().groups for tensor in group] == everything
    assert len(searched().groups) > 3
    monkeypatch.setattr(layer_search, "MAX_LAYER_BYTES", 100)
    found = searched()
    outputs = [np.zeros((1, 5), np.float32)] * len(found.groups[0])
    notes = {row["layer"]: row["note"] for row in found.compare(0, outputs)["rows"]}
    assert notes["first"] == "its output has 0 MiB, too many to send"
    assert notes["conv"] == "inside 'relu'"
    assert notes["head"] == "not compared yet"


def _asked(reference: Reference | None, **fields: Any) -> str:
    model = dataclasses.replace(tiny_model(), reference=reference, **fields)
    with pytest.raises(NoLayersError) as raised:
        LayerSearch(model, {"x": np.zeros((1, 4), np.float32)}, feed_index=0, bound=1e-4, quantized=False)
    return str(raised.value)


def test_what_cannot_be_searched_is_a_sentence() -> None:
    def fails(*_: Any) -> None:
        raise ValueError("no such shape")

    assert "was not converted from one with Keras layers" in _asked(None, layers=())
    assert "holds the output of none" in _asked(None, layers=(LayerTensor("a", "Dense", "", "inside 'b'"),))
    assert "Python has no model with layers" in _asked(Reference(dense, lambda: False))
    assert "changed after the conversion" in _asked(Reference(dense, lambda: True, fails))
    assert "(ValueError: no such shape)" in _asked(Reference(dense, lambda: False, fails))


# ---------------------------------------------------------------- the conversation


def searching(**options: Any) -> Page:
    page = finished(**options)
    page.claim(task=task("divergence"))
    return page


def put(page: Page, values: Any, *, name: str = "dense_1") -> Any:
    return page.put(np.asarray([values], np.float32), name=name)


def test_a_page_sends_what_it_is_asked_for_and_hears_what_was_found() -> None:
    page = searching()
    plan = page.ask("get_layers", page="p", job=JOB)[0]
    assert (plan["feed"], plan["groups"]) == (0, [["dense_1"]])
    assert put(page, dense(page.feeds[0])["y"][0])["kind"] == "ack"
    reply = page.ask("compare_layers", page="p", job=JOB, group=0)[0]
    assert (reply["divergence"]["first"], reply["divergence"]["complete"]) == ("", True)
    assert page.session.snapshot["jobs"][0]["divergence"] == page.published[-1]["jobs"][0]["divergence"]
    page.ask("report_task", page="p", **task_report("done", name=task("divergence")))
    assert page.session.snapshot["jobs"][0]["divergence"] == reply["divergence"]
    assert page.session.want("divergence", JOB).status == "done", "who asks again has the answer"  # type: ignore[arg-type]
    assert page.session.snapshot["task"]["status"] == "done"  # type: ignore[index]


def test_the_feed_with_the_largest_error_is_searched() -> None:
    page = Page()
    page.claim()
    for feed, samples in enumerate(page.feeds):
        page.put(dense(samples)["y"] + np.float32(feed), feed=feed)
    assert page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]["status"] == "failed"
    page.report(status="finished")
    page.claim(task=task("divergence"))
    assert page.ask("get_layers", page="p", job=JOB)[0]["feed"] == 1


def test_what_was_not_asked_for_is_refused() -> None:
    page = finished()
    assert "does not run the search" in page.ask("get_layers", page="p", job=JOB)[0]["error"]["message"]
    page.claim(task=task("divergence"))
    assert "was not asked for" in put(page, [0, 0, 0])["error"]["message"]
    assert "no group 0" in page.ask("compare_layers", page="p", job=JOB, group=0)[0]["error"]["message"]
    page.ask("get_layers", page="p", job=JOB)
    assert "was not asked for" in put(page, [0, 0, 0], name="y")["error"]["message"]
    assert "no group 1" in page.ask("compare_layers", page="p", job=JOB, group=1)[0]["error"]["message"]
    assert "not arrived" in page.ask("compare_layers", page="p", job=JOB, group=0)[0]["error"]["message"]
    assert "does not run the search" in page.ask("get_layers", page="q", job=JOB)[0]["error"]["message"]


def test_a_model_without_layers_answers_with_the_sentence(caplog: pytest.LogCaptureFixture) -> None:
    page = searching(model=dataclasses.replace(tiny_model(), layers=()))
    reply = page.ask("get_layers", page="p", job=JOB)[0]
    assert reply["error"]["message"].startswith("The model was not converted from one with Keras layers")
    assert not caplog.records


def test_quantized_weights_are_judged_only_by_the_users_own_bound() -> None:
    for options, passed in (({}, True), ({"tolerance": 1e-3}, False)):
        page = searching(model=tiny_model(quantization=Quantization("uint8", 0.1, 0.0)), **options)
        page.ask("get_layers", page="p", job=JOB)
        put(page, [0, 0, 0])
        (row,) = page.ask("compare_layers", page="p", job=JOB, group=0)[0]["divergence"]["rows"]
        assert row["passed"] is passed


# ---------------------------------------------------------------- what Python gets


def test_python_reads_it_as_a_table_and_a_data_frame() -> None:
    found = LayerSearch(tiny_model(), {"x": np.ones((1, 4), np.float32)}, feed_index=0, bound=1e-4, quantized=False)
    result = found.compare(0, [np.zeros((1, 3), np.float32)])
    result["rows"].append({**result["rows"][0], "layer": "<b>", "max_rel_error": None, "note": "inside 'dense'"})
    divergence = Divergence.from_wire("m", "cpu", result)
    assert list(divergence.to_dataframe()["layer"]) == ["dense", "<b>"]
    assert json.loads(divergence.to_json())["first"] == "dense"
    assert "1.0e+00" in repr(divergence)
    assert "1 of 2 layers were not compared by themselves" in divergence._repr_html_()
    assert "<b>" not in divergence._repr_html_()
