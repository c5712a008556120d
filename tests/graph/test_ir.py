"""The verbs keep the index of consumers, the signature and the order right."""

from __future__ import annotations

import numpy as np
import pytest

from tests.graph_text import graph_text, parse_graph
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import node_of, port_of, read_ref, ref_of

TEXT = """
    x: float32[3]
    a = Neg(x)
    s = Split(axis, a) num_split=3
    b = AddV2(s, s:2)
    c = Exp(a, ^b)
    return first=b, second=s:1
"""


@pytest.fixture
def graph() -> Graph:
    return parse_graph(TEXT, {"axis": np.array(0, np.int32)})


def _names(nodes: list[Node]) -> list[str]:
    return sorted(node.name for node in nodes)


def test_refs() -> None:
    assert (ref_of("a"), ref_of("a", 2), read_ref("a:0"), read_ref("a:10")) == ("a", "a:2", "a", "a:10")
    assert (node_of("a/b:2"), port_of("a/b:2"), port_of("a/b")) == ("a/b", 2, 0)


def test_asks_who_uses_a_node(graph: Graph) -> None:
    assert _names(graph.consumers("a")) == ["c", "s"]
    assert _names(graph.consumers("s")) == ["b"]
    assert _names(graph.consumers("b")) == ["c"]
    assert graph.consumers("c") == []
    assert graph.is_output("s")
    assert not graph.is_output("a")
    assert graph.producer("s:2") is graph["s"]
    assert "a" in graph
    assert graph.constant("axis") is graph["axis"].value
    assert graph.constant("a") is None


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param("x: float32[3]\ny = Neg(x)\nreturn y", "x", "y", id="one"),
        pytest.param("x: float32[3]\ny = Neg(x)\nz = Neg(x)\nreturn y, z", "x", None, id="two"),
        pytest.param("x: float32[3]\ny = AddV2(x, x)\nreturn y", "x", None, id="one-twice"),
        pytest.param("x: float32[3]\na = Neg(x)\ny = Neg(a)\nreturn y, a", "a", None, id="also-an-output"),
        pytest.param("x: float32[3]\na = Neg(x)\ny = Neg(x, ^a)\nreturn y", "a", None, id="only-waited-for"),
        pytest.param("x: float32[3]\na = Neg(x)\ny = Neg(a, ^a)\nreturn y", "a", None, id="used-and-waited-for"),
    ],
)
def test_only_consumer(text: str, name: str, expected: str | None) -> None:
    found = parse_graph(text).only_consumer(name)
    assert (found.name if found else None) == expected


def test_adds(graph: Graph) -> None:
    graph.add(Node("d", "Neg", ["b"]))
    assert _names(graph.consumers("b")) == ["c", "d"]
    with pytest.raises(ValueError, match="node 'd' exists already"):
        graph.add(Node("d", "Neg"))
    graph.check()


def test_fresh_names_are_free(graph: Graph) -> None:
    assert graph.fresh_name("new") == "new"
    assert graph.fresh_name("a") == "a_1"
    assert graph.add_constant("a", np.zeros(2)) == "a_1"
    assert graph.add_constant("a", np.zeros(2)) == "a_2"
    assert graph["a_1"].attrs == {"dtype": "float64"}


def test_replaces_one_port_only(graph: Graph) -> None:
    graph.replace_uses("s:2", "x")
    assert graph["b"].inputs == ["s", "x"]
    assert _names(graph.consumers("x")) == ["a", "b"]
    assert _names(graph.consumers("s")) == ["b"]
    graph.replace_uses("s:1", "a")
    assert graph.outputs == {"first": "b", "second": "a"}
    graph.check()


def test_what_is_known_of_a_shape_stays(graph: Graph) -> None:
    """A tensor that takes another's place is the same tensor."""
    graph.set_shape("a", (None, 4))
    graph.set_shape("s:2", (3, None))
    graph.replace_uses("s:2", "a")
    assert graph.shape("a") == (3, 4)
    assert graph.shape("s:1") is None


def test_renames(graph: Graph) -> None:
    graph.set_inputs(graph["c"], ["s:1"], controls=["s"])
    graph.rename("s", "t")
    graph.rename("x", "z")
    assert "s" not in graph
    assert (graph["c"].inputs, graph["c"].controls, graph.outputs["second"]) == (["t:1"], ["t"], "t:1")
    assert graph.inputs == {"x": "z"}
    graph.check()


def test_does_not_make_a_node_its_own_input() -> None:
    """A node that wraps another takes over its uses, not its own."""
    graph = parse_graph("x: float32[3]\na = Neg(x)\nb = Exp(a)\nc = Sin(a)\nreturn c")
    graph.replace_uses("a", "b")
    assert (graph["b"].inputs, graph["c"].inputs) == (["a"], ["b"])
    graph.check()


def test_replaces_a_node_in_place(graph: Graph) -> None:
    graph.replace_node("a", Node("a", "Sin", ["axis"]))
    assert graph.consumers("x") == []
    assert _names(graph.consumers("axis")) == ["a", "s"]
    assert _names(graph.consumers("a")) == ["c", "s"]
    graph.check()


def test_sets_inputs_and_controls(graph: Graph) -> None:
    graph.set_inputs(graph["c"], ["x"])
    assert graph["c"].controls == ["b"]
    graph.set_inputs(graph["c"], ["x"], controls=())
    assert graph.consumers("b") == []
    graph.check()


def test_removes(graph: Graph) -> None:
    with pytest.raises(AssertionError, match="'a' still has consumers"):
        graph.remove("a")
    graph.remove("c")
    with pytest.raises(AssertionError, match="'b' is a public output"):
        graph.remove("b")
    assert _names(graph.consumers("a")) == ["s"]


def test_removes_what_no_output_needs(graph: Graph) -> None:
    graph = Graph(graph, inputs=graph.inputs, outputs={"only": ref_of("a")})
    assert graph.remove_unused() == 4
    assert graph_text(graph) == ["a = Neg(x)", "return only=a", "x: float32[3]"]
    assert graph.consumers("a") == []
    graph.check()


def test_keeps_inputs_that_nothing_uses() -> None:
    graph = parse_graph("x: float32[3]\ny: float32[3]\nz = Neg(x)\nreturn z")
    assert graph.remove_unused() == 0
    assert "y" in graph


def test_keeps_what_an_output_waits_for(graph: Graph) -> None:
    graph = Graph(graph, inputs=graph.inputs, outputs={"only": ref_of("c")})
    graph.remove_unused()
    assert "b" in graph


def test_sorts_inputs_first() -> None:
    graph = parse_graph("y = AddV2(b, a)\nb = Neg(a)\na = Exp(x)\nx: float32[3]\nreturn y")
    graph.sort()
    assert [node.name for node in graph] == ["x", "a", "b", "y"]
    graph.check()


def test_sorts_a_loop() -> None:
    """A back edge through NextIteration has no order."""
    text = """
        next = NextIteration(more)
        more = Neg(go:1)
        go = Switch(state, again)
        again = LoopCond(less)
        less = Less(state, limit)
        state = Merge(enter, next)
        enter = Enter(x) frame_name=loop
        x: float32[]
        out = Exit(go)
        return out
    """
    graph = parse_graph(text, {"limit": np.array(3, np.float32)})
    graph.sort()
    order = {node.name: i for i, node in enumerate(graph)}
    assert len(order) == len(text.strip().splitlines())
    for node in graph:
        for ref in node.inputs:
            assert order[node_of(ref)] < order[node.name] or (node.name, ref) == ("state", "next") or ref == "more"


def test_sorting_a_deep_graph_needs_no_deep_stack() -> None:
    lines = [f"n{i} = Neg(n{i - 1})" for i in range(5000, 0, -1)]
    graph = parse_graph("\n".join([*lines, "n0: float32[1]", "return n5000"]))
    graph.sort()
    assert next(iter(graph)).name == "n0"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda g: g["a"].inputs.append("ghost"), "'a' uses 'ghost', which does not exist", id="dangling"),
        pytest.param(lambda g: g["a"].inputs.append("axis"), "'a' is not indexed under 'axis'", id="index"),
        pytest.param(lambda g: g["a"].controls.append("ghost"), "'a' waits for 'ghost', which", id="dangling-control"),
        pytest.param(lambda g: g["a"].controls.append("axis"), "'a' is not indexed under 'axis'", id="control-index"),
        pytest.param(lambda g: g.inputs.update(z="z"), "input 'z' does not exist", id="input"),
        pytest.param(lambda g: g.set_output("z", "z:1"), "output 'z:1' does not exist", id="output"),
        pytest.param(lambda g: g.set_inputs(g["c"], ["s:3"]), "'c' uses 's:3', which does not exist", id="port"),
        pytest.param(lambda g: g.set_inputs(g["c"], ["a:1"]), "'c' uses 'a:1', which does not exist", id="second-port"),
        pytest.param(lambda g: g.set_output("z", "b:1"), "output 'b:1' does not exist", id="output-port"),
    ],
)
def test_check_notices(graph: Graph, spoil: object, message: str) -> None:
    assert callable(spoil)
    spoil(graph)
    with pytest.raises(AssertionError, match=message):
        graph.check()


def test_outputs_follow_what_takes_their_place(graph: Graph) -> None:
    (name, ref), *_ = graph.outputs.items()
    producer = graph.producer(ref)
    assert graph.is_output(producer.name)
    other = graph.add_constant("other", np.zeros(2, np.float32))
    assert not graph.is_output(node_of(other))
    graph.replace_uses(ref, other)
    assert graph.outputs[name] == other
    assert graph.is_output(node_of(other))
    assert not graph.is_output(producer.name)
    graph.set_output(name, ref)
    graph.set_output("again", ref)
    graph.set_output(name, other)
    assert graph.is_output(producer.name)
