"""The runner: order, repetition, and passes that break their promises."""

from __future__ import annotations

import pytest

from tests.graph_text import graph_text, parse_graph
from tfjs_magic.errors import PassError
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.rewrite import GraphPass, Miss, Rewrite, run_passes

TEXT = "x: float32[3]\na = Neg(x)\nb = Neg(a)\ny = Exp(b)\nreturn y"


def _rename(old: str, new: str) -> Rewrite[Node]:
    def apply(graph: Graph, node: Node) -> None:
        graph.replace_node(node.name, Node(node.name, new, node.inputs, node.attrs))

    return Rewrite(f"{old}_to_{new}", frozenset({old}), lambda _, node: node, apply)


def test_repeats_until_nothing_applies() -> None:
    graph = parse_graph(TEXT)
    reports = run_passes(graph, [_rename("Sin", "Cos"), _rename("Neg", "Sin")])
    assert [report.applied for report in reports] == [2, 2]
    assert "a = Cos(x)" in graph_text(graph)


def test_reports_each_reason_with_its_count() -> None:
    shy = Rewrite("shy", frozenset({"Neg", "Exp"}), lambda _, node: Miss(f"no {node.op}"), lambda *_: None)
    (report,) = run_passes(parse_graph(TEXT), [shy])
    assert (report.name, report.applied, report.misses) == ("shy", 0, {"no Neg": 2, "no Exp": 1})


def test_a_pass_for_one_target_is_held_back_for_others() -> None:
    rename = _rename("Neg", "Sin")
    one = Rewrite("one", rename.anchors, rename.match, rename.apply, targets=("wasm",))
    graph = parse_graph(TEXT)
    for target, held_back in (("webgl", []), ("auto", [2])):
        reports = run_passes(graph, [one], target=target)
        assert [report.held_back for report in reports] == held_back
        assert graph_text(graph) == graph_text(parse_graph(TEXT))
    (report,) = run_passes(graph, [one], target="wasm")
    assert (report.applied, report.held_back) == (2, 0)


def test_skips_nodes_that_an_earlier_match_removed() -> None:
    seen: list[str] = []

    def match(_: Graph, node: Node) -> Node:
        seen.append(node.name)
        return node

    def apply(graph: Graph, _: Node) -> None:
        graph.replace_uses("b", "x")
        graph.replace_uses("a", "x")
        graph.remove_unused()

    run_passes(parse_graph(TEXT), [Rewrite("bypass", frozenset({"Neg"}), match, apply)])
    assert seen == ["a"]


def test_passes_that_undo_each_other_are_our_bug() -> None:
    with pytest.raises(PassError, match="still change the graph after 50 rounds"):
        run_passes(parse_graph(TEXT), [_rename("Neg", "Sin"), _rename("Sin", "Neg")])


def _dangle(graph: Graph) -> int:
    graph["y"].inputs = ["nowhere"]
    return 1


def _drop_output(graph: Graph) -> int:
    graph.outputs.clear()
    return 1


def _edit_behind_the_index(graph: Graph) -> int:
    graph["y"].inputs = ["a"]
    return 1


@pytest.mark.parametrize("run", [_dangle, _drop_output, _edit_behind_the_index])
def test_a_broken_invariant_names_the_pass(run: object) -> None:
    assert callable(run)
    with pytest.raises(PassError, match="Pass 'broken' broke the graph"):
        run_passes(parse_graph(TEXT), [GraphPass("broken", run)])


def test_a_pass_that_raises_is_our_bug_and_names_the_node() -> None:
    def match(_: Graph, node: Node) -> Node:
        raise KeyError(node.op)

    with pytest.raises(PassError, match="Pass 'bad' broke the graph at 'a'") as caught:
        run_passes(parse_graph(TEXT), [Rewrite("bad", frozenset({"Neg"}), match, lambda *_: None)])
    assert caught.value.node == "a"
