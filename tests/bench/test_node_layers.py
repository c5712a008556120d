"""Kernels are told by the user's own layers."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.bench.reports import PROFILE, ROW
from tests.bench.tiny import tiny_model
from tfjs_magic.artifacts import Artifacts, LayerTensor
from tfjs_magic.bench.node_layers import node_layers, with_layers


def graph() -> Artifacts:
    """Return x → shared → (a0 → a, b) → out, where a hands its tensor on to a dropout."""
    nodes = [
        {"name": "x"},
        {"name": "w"},
        {"name": "shared", "input": ["x"]},
        {"name": "a0", "input": ["shared:0", "w", "^x"]},
        {"name": "a", "input": ["a0"]},
        {"name": "b", "input": ["shared", "a:1"]},
        {"name": "out", "input": ["a", "b"]},
    ]
    layers = (
        LayerTensor("first", "A", "a:1"),
        LayerTensor("dropout", "Dropout", "a:1"),
        LayerTensor("fused", "Activation", "", "inside 'second'"),
        LayerTensor("second", "B", "b"),
    )
    return dataclasses.replace(tiny_model(), format="graph-model", topology={"node": nodes}, layers=layers)


def test_a_node_belongs_to_the_first_layer_that_it_leads_to() -> None:
    found = node_layers(graph())
    assert {name: found.get(name) for name in ("shared", "a0", "a", "b", "out")} == {
        "shared": "first",
        "a0": "first",
        "a": "first",
        "b": "second",
        "out": None,
    }


def test_what_the_conversion_knows_goes_before_what_a_name_suggests() -> None:
    rows = [{**ROW, "node": "a0", "layer": "m"}, {**ROW, "node": "body/add", "layer": "body"}]
    profile: Any = {**PROFILE, "rows": rows}
    assert [row["layer"] for row in with_layers(profile, graph())["rows"]] == ["first", "body"]
    assert with_layers(profile, tiny_model()) is profile
