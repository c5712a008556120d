"""Lower Einsum to a matrix product: wasm has none, elsewhere TF.js multiplies out and sums.

Given:   y = Einsum(a, b)                         "BTNH,BSNH->BNTS": batch B N, rows T, columns S, summed H
Result:  y = Transpose(Reshape(BatchMatMulV2(a', b')))
         a' (batch…, rows, summed), b' (batch…, summed, columns): transposed and reshaped; MatMul without a batch

Steps that change nothing are left out.

Refuses: other than two operands; "..."; a label twice in an operand, or in one operand only and not in the output; more
than one unknown size in a reshape; other dtypes than float32.
Source: TensorFlow ``core/ops/linalg_ops.cc``, ``Einsum``.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.passes.rewrite import Miss, Rewrite

_EQUATION = re.compile(r"([A-Za-z]+),([A-Za-z]+)->([A-Za-z]*)")
_FLOAT: dict[str, Attr] = {"T": DType("float32")}


@dataclasses.dataclass(frozen=True)
class _Match:
    """The labels of each role, and the size of each label (None if unknown)."""

    node: Node
    labels: tuple[str, str, str]
    batch: str
    rows: str
    columns: str
    summed: str
    sizes: Mapping[str, int | None]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    equation = node.attrs["equation"]
    assert isinstance(equation, bytes)
    found = _EQUATION.fullmatch(equation.decode().replace(" ", ""))
    if found is None or len(node.inputs) != 2:
        return Miss("it has other than two operands, or an ellipsis")
    a, b, out = found.groups()
    if reason := _unfit(a, b, out):
        return Miss(reason)
    if (dtype := node.attrs["T"]) != "float32":
        return Miss(f"it multiplies {dtype!s} values")
    shapes = [graph.shape(ref) for ref in node.inputs]
    if any(shape is None or len(shape) != len(labels) for shape, labels in zip(shapes, (a, b), strict=True)):
        return Miss("the rank of an operand is unknown")
    sizes: dict[str, int | None] = {}
    for shape, labels in zip(shapes, (a, b), strict=True):
        for label, size in zip(labels, shape or (), strict=True):
            sizes[label] = size if sizes.get(label) is None else sizes[label]
    match = _Match(
        node,
        (a, b, out),
        batch="".join(x for x in out if x in a and x in b),
        rows="".join(x for x in a if x in out and x not in b),
        columns="".join(x for x in b if x in out and x not in a),
        summed="".join(x for x in a if x in b and x not in out),
        sizes=sizes,
    )
    targets = (_groups(match, match.rows, match.summed), _groups(match, match.summed, match.columns), _merged(match))
    if any(target is not None and target.count(-1) > 1 for target in targets):
        return Miss("more than one size is unknown")
    return match


def _unfit(a: str, b: str, out: str) -> str:
    """Say why labels are those of no matrix product, "" if they are."""
    if any(len(set(labels)) != len(labels) for labels in (a, b, out)) or any(x not in a + b for x in out):
        return "an operand has a label twice"
    if any((x in a) != (x in b) and x not in out for x in a + b):
        return "a label is summed over in one operand only"
    return ""


def _groups(match: _Match, *merged: str) -> list[int] | None:
    """Give the shape in which each merged group of labels is one axis; None if it is so already."""
    if all(len(labels) == 1 for labels in merged):
        return None
    groups = [[match.sizes[x] for x in labels] for labels in (*match.batch, *merged)]
    return [-1 if None in sizes else math.prod(size or 0 for size in sizes) for sizes in groups]


def _merged(match: _Match) -> list[int] | None:
    """Give the shape of the product with every label an axis again; None if it is so already."""
    if len(match.rows) == len(match.columns) == 1:
        return None
    sizes = [match.sizes[x] for x in (*match.batch, *match.rows, *match.columns)]
    return [-1 if size is None else size for size in sizes]


def _apply(graph: Graph, match: _Match) -> None:
    node, (a, b, out) = match.node, match.labels
    first = _arranged(graph, match, node.inputs[0], a, (match.rows, match.summed))
    second = _arranged(graph, match, node.inputs[1], b, (match.summed, match.columns))
    product = match.batch + match.rows + match.columns
    if match.batch:
        op, flags = "BatchMatMulV2", {"adj_x": False, "adj_y": False}
    else:
        op, flags = "MatMul", {"transpose_a": False, "transpose_b": False}
    steps: list[tuple[str, list[int]]] = []
    if (target := _merged(match)) is not None:
        steps.append(("Reshape", target))
    if product != out:
        steps.append(("Transpose", [product.index(x) for x in out]))
    ref = node.name if not steps else graph.fresh_name(f"{node.name}/product")
    _put(graph, node, Node(ref, op, [first, second], {**_FLOAT, **flags}))
    for i, (kind, values) in enumerate(steps):
        last = i == len(steps) - 1
        name = node.name if last else graph.fresh_name(f"{node.name}/{kind.lower()}")
        _put(graph, node, _shaped(graph, name, kind, ref, values))
        ref = name


def _put(graph: Graph, old: Node, new: Node) -> None:
    if new.name == old.name:
        graph.replace_node(old.name, new)
    else:
        graph.add(new)


def _arranged(graph: Graph, match: _Match, ref: str, labels: str, groups: tuple[str, str]) -> str:
    """Transpose and reshape an operand to batch…, then one axis per group; give the ref of the result."""
    wanted = match.batch + "".join(groups)
    steps: list[tuple[str, Sequence[int]]] = []
    if wanted != labels:
        steps.append(("Transpose", [labels.index(x) for x in wanted]))
    if (target := _groups(match, *groups)) is not None:
        steps.append(("Reshape", target))
    for kind, values in steps:
        name = graph.fresh_name(f"{match.node.name}/{kind.lower()}")
        ref = graph.add(_shaped(graph, name, kind, ref, values)).name
    return ref


def _shaped(graph: Graph, name: str, kind: str, ref: str, values: Iterable[int]) -> Node:
    argument, attribute = ("shape", "Tshape") if kind == "Reshape" else ("perm", "Tperm")
    constant = graph.add_constant(f"{name}/{argument}", np.asarray([*values], np.int32))
    return Node(name, kind, [ref, constant], {**_FLOAT, attribute: DType("int32")})


LOWER_EINSUM = Rewrite("lower_einsum", frozenset({"Einsum"}), _match, _apply)
