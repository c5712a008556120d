"""Mask scores by an addition, which all layers share: wasm takes 20 times as long to choose, as it tiles the choices.

Given:   y = Softmax(SelectV2(c, x, K))     K a number below -1e9; x a product of matrices, or such with constants
Result:  y = Softmax(AddV2(x, m))           m = (Cast(c) - 1) · 9e19, so 0 or -9e19; likewise with x and K exchanged

What is masked is -9e19 as long as |x| < 4e12, since float32 adds nothing so small to it: exp gives 0 as before, and a
row that is masked as a whole 1 / n each. webgl's maxima begin at -1e20. A condition that is True & c is c, also where
True is filled in to the sizes of x.

Refuses: something else uses what is chosen; x holds other huge numbers, as of a mask before this one; x is no product,
and may hold infinities that are masked.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of
from tfjs_magic.graph.sizes import same_sizes
from tfjs_magic.passes.lowering import BOOL, FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MASKED = -9e19
_HIGHEST = -1e9
_HUGE = 1e8
#: A constant mask of more values is computed in the browser: as float32 it would be four times as large to load.
_MOST_VALUES = 2**14
_PRODUCTS = frozenset({"BatchMatMul", "BatchMatMulV2", "MatMul"})
_BY_VALUE = frozenset({"Add", "AddV2", "BiasAdd", "Mul", "RealDiv", "Reshape", "Sub", "Transpose"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """``keeps`` is whether the scores are chosen where the condition holds."""

    softmax: Node
    condition: Ref
    scores: Ref
    keeps: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    choice = graph.producer(node.inputs[0])
    if choice.op != "SelectV2" or choice.attrs.get("T") != "float32":
        return None
    place = next((place for place in (1, 2) if _is_mask(graph.constant(choice.inputs[place]))), None)
    if place is None:
        return None
    if graph.only_consumer(choice.name) is not node:
        return Miss("something else uses what is chosen")
    scores = choice.inputs[3 - place]
    made_of = [graph[name] for name in closure([node_of(scores)], lambda name: _operands(graph, name))]
    if any(node.value is None and node.op not in _BY_VALUE | _PRODUCTS for node in made_of):
        return Miss("what it chooses from is no product of matrices")
    if any(node.value is not None and not _is_small(node.value) for node in made_of):
        return Miss("what it chooses from is made of huge numbers, too")
    return _Match(node, choice.inputs[0], scores, keeps=place == 2)


def _is_mask(value: Array | None) -> bool:
    return value is not None and value.size == 1 and bool(np.isfinite(value)) and float(value.ravel()[0]) <= _HIGHEST


def _operands(graph: Graph, name: NodeName) -> list[NodeName]:
    """Return what a node computes its values from; nothing looks behind a product."""
    return [node_of(ref) for ref in graph[name].inputs] if graph[name].op in _BY_VALUE else []


def _is_small(value: Array) -> bool:
    return value.dtype.kind != "f" or bool((np.abs(value) < _HUGE).all())


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.softmax)
    condition = _without_true(graph, match.condition, match.scores) if match.keeps else match.condition
    value = graph.constant(condition)
    value = None if value is None else _without_repeats(value)
    if value is not None and value.size <= _MOST_VALUES:
        mask = new.constant(np.where(value == match.keeps, 0, _MASKED), "float32")
    else:
        condition = condition if value is None else new.constant(value, "bool")
        mask = new.add("Cast", condition, SrcT=BOOL, DstT=FLOAT32)
        if match.keeps:
            mask = new.add("Sub", mask, new.constant(1, "float32"), T=FLOAT32)
        mask = new.add("Mul", mask, new.constant(-_MASKED if match.keeps else _MASKED, "float32"), T=FLOAT32)
    masked = new.add("AddV2", match.scores, mask, T=FLOAT32)
    graph.set_inputs(match.softmax, [masked])


def _without_true(graph: Graph, condition: Ref, scores: Ref) -> Ref:
    """Return c of a condition True & c, unless True makes it larger than the scores."""
    node = graph.producer(condition)
    for one, other in (node.inputs, node.inputs[::-1]) if node.op == "LogicalAnd" else ():
        if _is_true_of(graph, one, scores):
            return other
    return condition


def _is_true_of(graph: Graph, ref: Ref, scores: Ref) -> bool:
    """Whether a tensor is True all over, and no larger than the scores."""
    node, value, shape = graph.producer(ref), graph.constant(ref), graph.shape(scores)
    if value is not None and value.all() and shape is not None and value.ndim <= len(shape):
        sides = zip(value.shape, shape[len(shape) - value.ndim :], strict=True)
        return all(side in {1, size} for side, size in sides)
    filled = graph.constant(node.inputs[1]) if node.op == "Fill" else None
    sizes = graph.producer(node.inputs[0]) if filled is not None and filled.all() else None
    return sizes is not None and sizes.op == "Shape" and same_sizes(graph, sizes.inputs[0], scores)


def _without_repeats(value: Array) -> Array:
    """Return a constant with one value along each axis along which it does not change."""
    for axis in range(value.ndim):
        first = value.take([0], axis) if value.shape[axis] else value
        value = first if (value == first).all() else value
    return value


PASS = Rewrite(__name__, frozenset({"Softmax"}), _match, _apply)
