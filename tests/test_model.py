"""A model that was read says what it holds, whatever the file is like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.conformance.handmade import graph_model, node
from tfjs_magic.cli import main
from tfjs_magic.model import TfjsModel, load
from tfjs_magic.pipeline import convert


def _graph() -> TfjsModel:
    nodes = [node("x", "Placeholder"), node("w", "Const"), node("y", "MatMul", "x", "w"), node("z", "Relu", "y")]
    return graph_model(nodes, {"w": np.ones((3, 2), np.float32)}, z="float32")


def _function(**function: Any) -> Callable[[dict[str, Any]], None]:
    return lambda topology: topology.update(library={"function": [function]})


def _loaded(tmp_path: Path, model: TfjsModel, edit: Callable[[dict[str, Any]], Any]) -> TfjsModel:
    file = model.save(tmp_path / "web") / "model.json"
    document = json.loads(file.read_text())
    edit(document["modelTopology"])
    file.write_text(json.dumps(document))
    return load(file)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_function(signature={"name": "f", "inputArg": [{"name": "a"}]}, ret={"o": "a"}), id="no-nodes"),
        pytest.param(
            _function(signature={"name": "f", "inputArg": [{"name": "a", "typeAttr": "T"}]}, nodeDef=[], ret={}),
            id="type-by-attribute",
        ),
        pytest.param(
            lambda topology: topology["node"].append(
                {"name": "default", "op": "PlaceholderWithDefault", "input": ["w"]}
            ),
            id="default",
        ),
    ],
)
def test_ops_are_counted(tmp_path: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    report = _loaded(tmp_path, _graph(), edit).report
    assert (report.ops, report.notes) == ({"MatMul": 1, "Relu": 1}, ())
    assert set(report.backends.values()) == {()}


def test_an_input_that_the_signature_lacks_is_no_reason_to_say_nothing(tmp_path: Path) -> None:
    """As of models with Keras's learning phase, which has a default."""

    def edit(topology: dict[str, Any]) -> None:
        topology["node"].append({"name": "phase", "op": "PlaceholderWithDefault", "input": ["w"], "attr": {}})
        topology["node"][2]["input"] = ["x", "phase"]

    assert _loaded(tmp_path, _graph(), edit).report.ops["MatMul"] == 1


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(_function(nodeDef=[]), id="no-signature"),
        pytest.param(_function(signature={"name": "f"}, nodeDef=[{"name": "n", "input": [3]}]), id="number"),
        pytest.param(lambda topology: topology["node"].append({"name": "s", "op": "StridedSlice"}), id="no-inputs"),
        pytest.param(lambda topology: topology["node"][2].update(input=["gone"]), id="dangling"),
    ],
)
def test_what_cannot_be_read_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: Callable[[dict[str, Any]], Any]
) -> None:
    report = _loaded(tmp_path, _graph(), edit).report
    if report.notes:  # what no output needs is not looked at
        assert report.notes[0].startswith("What it holds was not checked: ")
    assert main(["inspect", str(tmp_path / "web")]) == 0
    assert capsys.readouterr().err == ""


def test_layers_that_cannot_be_counted_are_a_note(tmp_path: Path) -> None:
    def edit(topology: dict[str, Any]) -> None:
        topology["model_config"]["config"]["layers"][-1]["class_name"] = ["Dense"]

    model = convert(models.dense(), format="layers")
    assert _loaded(tmp_path, model, edit).report.notes[0].startswith("What it holds was not checked: ")


def test_both_formats_list_the_backends_alike() -> None:
    graph, layers = (convert(models.dense(), format=form).report.backends for form in ("graph", "layers"))
    assert list(graph) == list(layers) == ["cpu", "wasm", "webgl", "webgpu"]


def test_a_model_that_is_packed_again_keeps_what_is_known_of_its_backends() -> None:
    first = convert(models.dense(), format="layers")
    assert list(convert(first, quantize="uint8").report.backends) == list(first.report.backends) != []
