"""Mask logits with a smaller number: webgl's maxima begin at -1e20, and webgpu's just above float32's minimum.

Given:   y = Softmax(SelectV2(c, x, K))           K constant, finite, beyond -1e20, as -0.7 · float32's maximum
Result:  y = Softmax(SelectV2(c, x, K'))          K' = max(K, -9e19); likewise with x and K the other way round

What is masked gets exp(K' - max) = 0 as before, and a row that is masked as a whole 1 / n each; webgl gave 1. Logits
are no smaller than K' themselves, unless huge numbers are added to them, or chosen, as by a mask before this one.

Refuses: something else uses what is chosen; x is made of other huge numbers; K holds several of them.
Source: tfjs-backend-webgl ``src/reduce_gpu.ts``, tfjs-backend-webgpu ``src/softmax_webgpu.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.conditions import is_masked_by_a_huge_number, masked_by
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of
from tfjs_magic.passes.rewrite import Miss, Rewrite

_SMALLEST = np.float32(-9e19)
#: What a huge number comes out of as it went in, or changed by another one.
_BY_VALUE = frozenset(
    "Add AddN AddV2 BiasAdd BroadcastTo ConcatV2 ExpandDims GatherV2 Identity Maximum Minimum Mul Neg Pack Pad PadV2 "
    "RealDiv Reshape Select SelectV2 Slice Squeeze StridedSlice Sub Tile Transpose".split()
)


@dataclasses.dataclass(frozen=True)
class _Match:
    choice: Node
    place: int
    mask: Array


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not is_masked_by_a_huge_number(graph, node):
        return None
    choice = graph.producer(node.inputs[0])
    if graph.only_consumer(choice.name) is None:
        return Miss("something else uses what is chosen")
    place = masked_by(graph, choice)
    assert place is not None
    mask = graph.constant(choice.inputs[place])
    assert mask is not None
    if len(np.unique(mask[mask < _SMALLEST])) > 1:
        return Miss("it masks with several huge numbers")
    if _holds_huge_numbers(graph, choice.inputs[3 - place]):
        return Miss("what it chooses from is made of huge numbers, too")
    return _Match(choice, place, np.maximum(mask, _SMALLEST))


def _holds_huge_numbers(graph: Graph, ref: Ref) -> bool:
    """Whether arithmetic by value made a tensor of a constant that is huge, or of one that an addition makes so."""

    def step(name: NodeName) -> list[NodeName]:
        return [node_of(each) for each in graph[name].inputs] if graph[name].op in _BY_VALUE else []

    values = (graph[name].value for name in closure([node_of(ref)], step))
    return any(
        value.dtype.kind == "f" and bool((np.abs(value) > -_SMALLEST).any()) for value in values if value is not None
    )


def _apply(graph: Graph, match: _Match) -> None:
    inputs = list(match.choice.inputs)
    inputs[match.place] = graph.add_constant(inputs[match.place], match.mask)
    graph.set_inputs(match.choice, inputs)
    graph.forget_layers(match.choice.name)


PASS = Rewrite(__name__, frozenset({"Softmax"}), _match, _apply)
