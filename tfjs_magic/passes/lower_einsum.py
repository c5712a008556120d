"""Lower Einsum to a matrix product: wasm has none, elsewhere TF.js multiplies out and sums.

Given:   y = Einsum(a, b)                         "BTNH,BSNH->BNTS": batch B N, rows T, columns S, summed H
Result:  y = Transpose(Reshape(BatchMatMulV2(a', b')))
         a' (batch…, rows, summed), b' (batch…, summed, columns): transposed and reshaped; MatMul without a batch

Given:   y = Einsum(a)                            "BTNH->HB": T and N are summed
Result:  y = Transpose(Sum(a))

What only one of two operands has, and the output has not, is summed before the product.
Steps that change nothing are left out. Where a reshape has more than one unknown size, they are read in the browser.

Refuses: a label twice in an operand; an ellipsis that broadcasts; other numbers than floats.
Source: TensorFlow ``core/ops/linalg_ops.cc``, ``Einsum``: one operand or two.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: All are float32 in TF.js.
_FLOATS = frozenset({"bfloat16", "float16", "float32", "float64"})
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


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

    @property
    def dtype(self) -> dict[str, Attr]:
        """The attribute of the nodes that take its place."""
        return {"T": DType("float64" if self.node.attrs["T"] == "float64" else "float32")}


@dataclasses.dataclass(frozen=True)
class _Sum:
    """One operand: its labels and those of the output."""

    node: Node
    operand: str
    out: str


def _match(graph: Graph, node: Node) -> _Match | _Sum | Miss:
    terms = _labels(graph, node)
    if isinstance(terms, Miss):
        return terms
    if len(terms) == 2:
        unique = len(set(terms[0])) == len(terms[0]) and set(terms[1]) <= set(terms[0])
        return _Sum(node, *terms) if unique else Miss("an operand has a label twice")
    a, b, out = terms
    if any(len(set(labels)) != len(labels) for labels in terms) or not set(out) <= {*a, *b}:
        return Miss("an operand has a label twice")
    if (dtype := node.attrs["T"]) not in _FLOATS:
        return Miss(f"it multiplies {dtype!s} values")
    sizes: dict[str, int | None] = {}
    for ref, labels in zip(node.inputs, (a, b), strict=True):
        for label, size in zip(labels, graph.shape(ref) or (), strict=True):
            if 1 in (size, sizes.get(label, size)) and size != sizes.get(label, size):
                return Miss("an axis of size 1 is broadcast")
            sizes[label] = size if sizes.get(label) is None else sizes[label]
    return _Match(
        node,
        (a, b, out),
        batch="".join(x for x in out if x in a and x in b),
        rows="".join(x for x in a if x in out and x not in b),
        columns="".join(x for x in b if x in out and x not in a),
        summed="".join(x for x in a if x in b and x not in out),
        sizes=sizes,
    )


def _labels(graph: Graph, node: Node) -> list[str] | Miss:
    """Return the labels of the operands and of the output; an ellipsis becomes labels of its own."""
    equation = node.attrs["equation"]
    assert isinstance(equation, bytes)
    left, arrow, out = equation.decode().replace(" ", "").partition("->")
    shapes = [graph.shape(ref) for ref in node.inputs]
    if not arrow or any(shape is None for shape in shapes):
        return Miss("the rank of an operand is unknown, or the output has no labels")
    terms = left.split(",")
    hidden = [len(shape or ()) - len(term.replace("...", "")) for shape, term in zip(shapes, terms, strict=True)]
    free = [letter for letter in _LETTERS if letter not in equation.decode()][: max(hidden)]
    if len(free) < max(hidden):
        return Miss("it needs more labels than there are letters")
    names = ["".join(free[len(free) - count :]) for count in hidden]
    expanded = [term.replace("...", name) for term, name in zip(terms, names, strict=True)]
    return [*expanded, out.replace("...", "".join(free))]


def _apply(graph: Graph, match: _Match | _Sum) -> None:
    if isinstance(match, _Sum):
        _apply_sum(Lowering(graph, match.node), match)
        return
    (_, _, out), new = match.labels, Lowering(graph, match.node)
    operands = (
        _arranged(new, match, 0, (match.rows, match.summed)),
        _arranged(new, match, 1, (match.summed, match.columns)),
    )
    product = match.batch + match.rows + match.columns
    if match.batch:
        steps: list[_Step] = [("BatchMatMulV2", operands, {"adj_x": False, "adj_y": False})]
    else:
        steps = [("MatMul", operands, {"transpose_a": False, "transpose_b": False})]
    if not len(match.rows) == len(match.columns) == 1:
        steps.append(("Reshape", (_shape(new, match, product),), {"Tshape": INT32}))
    if product != out:
        steps.append(("Transpose", (new.constant([product.index(x) for x in out]),), {"Tperm": INT32}))
    *before, (op, inputs, attrs) = steps
    ref: tuple[Ref, ...] = ()
    for kind, others, options in before:
        ref = (new.add(kind, *ref, *others, **match.dtype, **options),)
    new.replace(op, *ref, *inputs, **match.dtype, **attrs)


def _apply_sum(new: Lowering, match: _Sum) -> None:
    (x,), dtype = match.node.inputs, match.node.attrs["T"]
    summed = [i for i, label in enumerate(match.operand) if label not in match.out]
    left = [label for label in match.operand if label in match.out]
    perm = new.constant([left.index(label) for label in match.out])
    total = new.add("Sum", x, new.constant(summed), T=dtype, Tidx=INT32, keep_dims=False) if summed else x
    new.replace("Transpose", total, perm, T=dtype, Tperm=INT32)


_Step = tuple[str, tuple[Ref, ...], dict[str, Attr]]


def _arranged(new: Lowering, match: _Match, operand: int, groups: tuple[str, str]) -> Ref:
    """Transpose and reshape an operand to batch…, then one axis per group; return the ref of the result."""
    ref, labels = match.node.inputs[operand], match.labels[operand]
    wanted = match.batch + "".join(groups)
    if alone := [axis for axis, label in enumerate(labels) if label not in wanted]:
        ref = new.add("Sum", ref, new.constant(alone), **match.dtype, Tidx=INT32, keep_dims=False)
        labels = "".join(label for label in labels if label in wanted)
    if wanted != labels:
        ref = new.add("Transpose", ref, new.constant([labels.index(x) for x in wanted]), **match.dtype, Tperm=INT32)
    if not all(len(group) == 1 for group in groups):
        ref = new.add("Reshape", ref, _shape(new, match, [*match.batch, *groups]), **match.dtype, Tshape=INT32)
    return ref


def _shape(new: Lowering, match: _Match, groups: Iterable[str]) -> Ref:
    """Return the shape with one axis per group of labels."""
    sizes = [[match.sizes[x] for x in group] for group in groups]
    known = [-1 if None in group else math.prod(size or 0 for size in group) for group in sizes]
    if known.count(-1) <= 1:
        return new.constant(known)
    axes = [_size(new, match, group) for group in groups]
    return new.add("Pack", *axes, axis=0, N=len(axes), T=INT32)


def _size(new: Lowering, match: _Match, group: str) -> Ref:
    """Return the product of the labels' sizes, a scalar."""
    product = new.constant(math.prod(size for x in group if (size := match.sizes[x]) is not None))
    for label in (x for x in group if match.sizes[x] is None):
        operand = 0 if label in match.labels[0] else 1
        axis = match.labels[operand].index(label)
        product = new.add("Mul", product, new.size(match.node.inputs[operand], axis), T=INT32)
    return product


PASS: Rewrite[_Match | _Sum] = Rewrite(__name__, frozenset({"Einsum"}), _match, _apply)
