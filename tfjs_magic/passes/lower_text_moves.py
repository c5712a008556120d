"""Move numbers in the place of texts: TF.js looks texts up by number, but moves few of them.

Given:   y = GatherV2(c, i, axis)                 c constant texts; also SelectV2, Tile, Pad …, see ``_TEXTS``
Result:  y = LookupTableFindV2(table, GatherV2(n, i, axis))         table: 0 → "", n[0] → c[0], n[1] → c[1] …

What moves the result of such a look-up moves the numbers before it: moves in a row end in one look-up. Zero is "", with
which Pad and ScatterNd fill. Ops that move texts rightly everywhere are left where no other one follows them.

Refuses: the texts are an input, or computed.
Source: tfjs-converter ``src/executor/hash_table.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import DType, Graph, Node, Table
from tfjs_magic.graph.refs import NodeName, Ref, closure
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_STRING = DType("string")
#: Op type → which of its inputs are texts.
_TEXTS = {
    **dict.fromkeys("BroadcastTo ExpandDims Gather GatherNd GatherV2 Identity MirrorPad Pad".split(), slice(1)),
    **dict.fromkeys("Reshape ReverseV2 Slice SplitV Squeeze StridedSlice Tile Transpose Unpack".split(), slice(1)),
    **dict.fromkeys("Fill ScatterNd Split".split(), slice(1, 2)),
    **dict.fromkeys("PadV2 TensorScatterUpdate".split(), slice(0, 3, 2)),
    **dict.fromkeys("Select SelectV2".split(), slice(1, 3)),
    "ConcatV2": slice(-1),
    "Pack": slice(None),
    "SparseToDense": slice(2, 4),
}
#: What TF.js does with texts on every backend.
_RIGHT = frozenset("ConcatV2 ExpandDims Identity Pack Reshape Slice Squeeze Unpack".split())


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    texts: list[Ref]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if not _moves_texts(node):
        return None
    texts = node.inputs[_TEXTS[node.op]]
    if node.op in _RIGHT and not _leads_to_a_wrong_move(graph, node):
        return None
    if all(graph.constant(ref) is not None or _numbered(graph, ref) is not None for ref in texts):
        return _Match(node, texts)
    return None if node.op in _RIGHT else Miss("the texts are an input, or computed")


def _moves_texts(node: Node) -> bool:
    return node.op in _TEXTS and _STRING in (node.attrs.get("T"), node.attrs.get("Tparams"))


def _leads_to_a_wrong_move(graph: Graph, node: Node) -> bool:
    def step(name: NodeName) -> list[NodeName]:
        return [user.name for user in graph.consumers(name) if _moves_texts(user)]

    return any(graph[name].op not in _RIGHT for name in closure([node.name], step))


def _numbered(graph: Graph, ref: Ref) -> Table | None:
    """Return the table that makes texts of numbers of this pass."""
    find = graph.producer(ref)
    table = graph.tables.get(graph.producer(find.inputs[0]).name) if find.op == "LookupTableFindV2" else None
    return table if table is not None and table.numbered else None


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    words = [b""]
    numbers: dict[Ref, Ref] = {}
    for ref in match.texts:
        if (table := _numbered(graph, ref)) is None:
            numbers[ref] = new.constant(_counted(graph.constant(ref), words))
        elif table.values.tolist() == words or len(words) == 1:
            words, numbers[ref] = table.values.tolist(), graph.producer(ref).inputs[1]
        else:
            first = new.constant(len(words))
            words += table.values.tolist()
            numbers[ref] = new.add("AddV2", graph.producer(ref).inputs[1], first, T=INT32)
    attrs = {key: INT32 if value == _STRING else value for key, value in node.attrs.items()}
    moved = graph.add(
        Node(
            graph.fresh_name(f"{node.name}/{node.op}"),
            node.op,
            [numbers.get(ref, ref) for ref in node.inputs],
            attrs,
            shapes=node.shapes,
        )
    )
    for port in range(node.outputs):
        found = _look_up(graph, new, moved.ref(port), words)
        graph.replace_uses(node.ref(port), found)


def _counted(texts: Array | None, words: list[bytes]) -> Array:
    """Return each text's number, and add the texts that have none."""
    assert texts is not None
    place = {word: number for number, word in reversed([*enumerate(words)])}
    for word in texts.ravel().tolist():
        if word not in place:
            place[word] = len(words)
            words.append(word)
    return np.array([place[word] for word in texts.ravel().tolist()], np.int32).reshape(texts.shape)


def _look_up(graph: Graph, new: Lowering, numbers: Ref, words: list[bytes]) -> Ref:
    """Add the look-up, in a table that is there already if one holds these words."""
    for name, table in graph.tables.items():
        if table.numbered and name in graph and table.values.tolist() == words:
            break
    else:
        handle = new.add("HashTableV2", key_dtype=INT32, value_dtype=_STRING)
        name, values = graph.producer(handle).name, np.empty(len(words), object)
        values[:] = words
        graph.tables[name] = Table(np.arange(len(words), dtype=np.int32), values, numbered=True)
    default = new.constant(b"", "object")
    return new.add("LookupTableFindV2", graph[name].ref(), numbers, default, Tin=INT32, Tout=_STRING)


PASS = Rewrite(__name__, frozenset(_TEXTS), _match, _apply)
