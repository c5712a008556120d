"""What a graph makes of constants: TensorFlow computes it while it imports, initialises or optimises, of any size.

A node of a few bytes fills a tensor of gigabytes. What depends on inputs is let be: it only describes a shape.

Source: the op definitions of TensorFlow 2.21; ``tensorflow/core/common_runtime/eval_const_tensor.cc``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.errors import UnsupportedModelError

#: More than any published model makes of nothing: masks of 8,192 × 8,192.
_MOST_ELEMENTS = 2**27
#: Of one axis: as sizes of a shape, TensorFlow takes 60 bytes for each.
_MOST_OF_VECTOR = 2**24
#: A tensor has at most 254 axes; paddings have two numbers for each.
_MOST_SIZES = 512
#: Ops that hand on the numbers of their first input, and those that join the numbers of all.
_SAME = frozenset({"Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "Snapshot", "StopGradient"})
_JOINING = frozenset({"ConcatV2", "Concat", "Pack", "ParallelConcat"})
_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "AddV2": operator.add,
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Maximum": max,
    **dict.fromkeys(("Select", "SelectV2"), max),  # of its last two inputs: one of them
    "Minimum": min,
}
_BINARY = frozenset("AddV2 Add Sub Mul Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr".split())
_Numbers = Sequence[float]


def _by_shape(_: int, numbers: Sequence[_Numbers]) -> float:
    return math.prod(numbers[0])


#: Op → which inputs say how much it makes, and how much that is, of the size of the first input and these numbers.
_MAKING: Mapping[str, tuple[Sequence[int], Callable[[int, Sequence[_Numbers]], float]]] = {
    **dict.fromkeys(("Fill", "Empty"), ((0,), _by_shape)),
    **dict.fromkeys(
        (
            *(
                "StatelessRandomUniform",
                "StatelessRandomNormal",
                "StatelessTruncatedNormal",
                "StatelessRandomUniformV2",
            ),
            *("StatelessRandomNormalV2", "StatelessTruncatedNormalV2", "StatelessRandomUniformInt"),
            *("StatelessRandomUniformIntV2", "StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2"),
        ),
        ((0,), _by_shape),
    ),
    "BroadcastTo": ((1,), _by_shape),
    "ScatterNd": ((2,), _by_shape),
    "SparseToDense": ((1,), _by_shape),
    "Range": ((0, 1, 2), lambda _, v: (v[1][0] - v[0][0]) / v[2][0] if v[2][0] else 0),
    "LinSpace": ((2,), lambda _, v: v[0][0]),
    "Tile": ((1,), lambda size, v: size * math.prod(v[0])),
    "OneHot": ((1,), lambda size, v: size * v[0][0]),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), ((1,), lambda size, v: size * math.prod(1 + n for n in v[0]))),
    **dict.fromkeys(("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3"), ((), lambda size, _: size**2)),
    **dict.fromkeys(
        ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea"),
        ((1,), lambda size, v: size * math.prod(v[0])),
    ),
}


def check_growth(nodes: Iterable[Any], order: Iterable[str], what: str, *, pairs: bool = False) -> None:
    """Refuse a graph, or the body of a function, that makes far more of its constants than there is.

    Args:
        nodes: ``NodeDef`` messages.
        order: Their names, each after what it needs.
        what: Whose they are, for the message.
        pairs: Whether two operands may make the product of their sizes, as where they run without further checks.

    Raises:
        UnsupportedModelError: Names the node.
    """
    by_name = {node.name: node for node in nodes}
    if not any(
        node.op in _MAKING or node.op in _JOINING or "initial_num_buckets" in node.attr for node in by_name.values()
    ):
        return
    sizes: dict[str, int] = {}
    held = 0
    for name in order:
        node = by_name[name]
        if node.op == "Const":
            sizes[name] = math.prod(dim.size for dim in node.attr["value"].tensor.tensor_shape.dim)
            held += sizes[name]
            continue
        refs = [ref.partition(":")[0] for ref in node.input if not ref.startswith("^")]
        buckets = node.attr["initial_num_buckets"].i if "initial_num_buckets" in node.attr else 0
        size = buckets * math.prod(max(1, dim.size) for dim in node.attr["value_shape"].shape.dim) if buckets else 0
        if refs and all(ref in sizes for ref in refs):
            size = _size(node, refs, by_name, [sizes[ref] for ref in refs], pairs=pairs)
            sizes[name] = size
        is_vector = node.op in {"Range", "LinSpace"} or (node.op == "Fill" and sizes.get(refs[0]) == 1)
        if size > (_MOST_OF_VECTOR if is_vector else _MOST_ELEMENTS) + 2 * held:
            raise UnsupportedModelError(
                f"The node '{name}' ({node.op}) of {what} makes {size:.3g} numbers of constants; no model needs them.",
                node=name,
            )


def _size(node: Any, refs: Sequence[str], by_name: Mapping[str, Any], sizes: Sequence[int], *, pairs: bool) -> int:
    """Return how many numbers a node makes of constants; the size of its largest input where that is not known."""
    if node.op in _JOINING:
        return sum(sizes)
    if pairs and node.op in _BINARY:
        return math.prod(sizes)
    if node.op in _MAKING:
        which, made = _MAKING[node.op]
        if all(i < len(refs) for i in which):
            numbers = [_numbers(by_name, refs[i]) for i in which]
            if all(one for one in numbers):
                return int(min(abs(made(sizes[0], [one or () for one in numbers])), 1e30))
    return max(sizes)


def _numbers(by_name: Mapping[str, Any], ref: str, depth: int = 50) -> list[float] | None:  # noqa: PLR0911 - kinds of op
    """Return the numbers of a small constant, in the order of memory; None where they are not known."""
    node = by_name.get(ref)
    if node is None or not depth:
        return None
    refs = [one.partition(":")[0] for one in node.input if not one.startswith("^")]
    if node.op == "Const":
        return _numbers_of(node.attr["value"].tensor)
    if node.op in _ARITHMETIC and len(refs) >= 2:
        one, other = (_numbers(by_name, ref, depth - 1) for ref in refs[-2:])
        if one is None or other is None or len(one) != len(other):
            return None
        return [_ARITHMETIC[node.op](a, b) for a, b in zip(one, other, strict=True)]
    if node.op in _SAME and refs:
        return _numbers(by_name, refs[0], depth - 1)
    if node.op in _JOINING:
        parts = refs[:-1] if node.op == "ConcatV2" else refs[1:] if node.op == "Concat" else refs
        found = [_numbers(by_name, one, depth - 1) for one in parts]
        return None if any(one is None for one in found) else [n for one in found for n in one or ()]
    return None


def _numbers_of(tensor: Any) -> list[float] | None:
    length = math.prod(dim.size for dim in tensor.tensor_shape.dim)
    if length > _MOST_SIZES or tensor.dtype not in _DTYPES:
        return None
    given = [*tensor.int_val, *tensor.int64_val, *tensor.uint32_val, *tensor.uint64_val]
    given += [*tensor.float_val, *tensor.double_val]
    if tensor.tensor_content:
        dtype = _DTYPES[tensor.dtype]
        if len(tensor.tensor_content) != length * np.dtype(dtype).itemsize:
            return None
        given = np.frombuffer(tensor.tensor_content, dtype).astype(float).tolist()
    if not given:
        return [0.0] * length
    return [float(n) for n in given[:length]] + [float(given[-1])] * (length - len(given))


#: Enum of TensorFlow's ``types.proto`` → as numpy calls it.
_DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 17: "<u2", 22: "<u4", 23: "<u8"}
