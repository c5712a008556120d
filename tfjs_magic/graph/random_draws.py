"""Numbers drawn from a random state that the model keeps: TF.js draws them from its own.

Given:   x = StatelessRandomNormalV2(shape, key, counter, alg)      key computed from a state that is written
Result:  x = RandomStandardNormal(shape)

So ``keras.random`` with a SeedGenerator, and ``tf.random.Generator``, are what ``tf.random`` is. Draws from one seed
stay one draw. A key that comes from elsewhere makes the same numbers at every run, and stays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref, closure, node_of

#: Op → the op that draws by itself, and which of the inputs it takes.
_DRAWS = {
    "StatelessRandomNormalV2": ("RandomStandardNormal", (0,)),
    "StatelessTruncatedNormalV2": ("TruncatedNormal", (0,)),
    "StatelessRandomUniformV2": ("RandomUniform", (0,)),
    "StatelessRandomUniformIntV2": ("RandomUniformInt", (0, 4, 5)),
}


def draw_from_own_state(graph: Graph, *, states: Collection[NodeName]) -> None:
    """Replace the draws whose keys are computed from one of the resources ``states``."""
    known = set(states)

    def before(name: NodeName) -> Iterable[NodeName]:
        return map(node_of, graph[name].inputs)

    drawn: dict[tuple[object, ...], Node] = {}
    for node in list(graph):
        if node.op not in _DRAWS:
            continue
        op, kept = _DRAWS[node.op]
        keys = [_seed(graph, ref) for i, ref in enumerate(node.inputs) if i not in kept]
        found: set[NodeName] = closure(map(node_of, keys), before)
        if known.isdisjoint(found):
            continue
        operands = [_value_or_ref(graph, node.inputs[i]) for i in kept]
        draw = (node.op, *operands, keys[0], *sorted(node.attrs.items()))
        if draw in drawn:
            graph.replace_uses(node.ref(), drawn[draw].ref())
            continue
        inputs = [node.inputs[i] for i in kept]
        drawn[draw] = Node(node.name, op, inputs, _attrs(node), controls=list(node.controls))
        graph.replace_node(node.name, drawn[draw])


def _seed(graph: Graph, ref: Ref) -> Ref:
    """Return what a key or a counter is made of."""
    made = graph.producer(ref)
    return made.inputs[0] if made.op == "StatelessRandomGetKeyCounter" else ref


def _value_or_ref(graph: Graph, ref: Ref) -> object:
    value = graph.constant(ref)
    return ref if value is None else (str(value.dtype), value.shape, value.tobytes())


def _attrs(node: Node) -> dict[str, Attr]:
    """Return the attributes of the op that takes its place."""
    attrs: dict[str, Attr] = {"seed": 0, "seed2": 0}
    if node.op == "StatelessRandomUniformIntV2":
        return attrs | {"T": node.attrs.get("Tshape", DType("int32")), "Tout": node.attrs["dtype"]}
    return attrs | {"T": node.attrs.get("Tshape", DType("int32")), "dtype": node.attrs["dtype"]}
