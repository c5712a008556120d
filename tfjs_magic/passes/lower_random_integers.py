"""Lower random integers: TF.js does not read their bounds, and cuts towards zero.

Given:   y = RandomUniformInt(shape, least, end)
Result:  y = least + Minimum(Cast(Floor(RandomUniform(shape) · (end - least))), end - least - 1)

As float32 a random number may be 1, hence the minimum.

Refuses: the bounds are further apart than int32 reaches.
Source: TensorFlow ``core/ops/random_ops.cc``; tfjs-core ``src/ops/random_uniform_int.ts``, 4.22.
"""

from __future__ import annotations

from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_LARGEST = 2**31 - 1


def _match(graph: Graph, node: Node) -> Node | Miss:
    least, end = (graph.constant(ref) for ref in node.inputs[1:])
    if least is not None and end is not None and int(end) - int(least) > _LARGEST:
        return Miss("the bounds are further apart than int32 reaches")
    return node


def _apply(graph: Graph, node: Node) -> None:
    new, dtype = Lowering(graph, node), node.attrs["Tout"]
    assert isinstance(dtype, DType)
    shape, least, end = node.inputs
    width = new.add("Sub", end, least, T=dtype)
    attrs = {key: value for key, value in node.attrs.items() if key != "Tout"}
    drawn = new.add("RandomUniform", shape, **attrs, dtype=FLOAT32)
    scaled = new.add("Mul", drawn, new.add("Cast", width, SrcT=dtype, DstT=FLOAT32), T=FLOAT32)
    step = new.add("Cast", new.add("Floor", scaled, T=FLOAT32), SrcT=FLOAT32, DstT=dtype)
    last = new.add("Sub", width, new.constant(1, dtype), T=dtype)
    new.replace("AddV2", least, new.add("Minimum", step, last, T=dtype), T=dtype)


PASS = Rewrite(__name__, frozenset({"RandomUniformInt"}), _match, _apply)
