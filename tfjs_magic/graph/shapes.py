"""Work out the shape of a tensor from the shapes of a node's operands, for the ops that passes write.

What is not known for sure is None: a size, or with the rank the whole shape.

Source: the shape functions in TensorFlow ``core/framework/common_shape_fns.cc`` and ``core/ops/array_ops.cc``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref


def shape_of(graph: Graph, node: Node) -> Dims | None:
    """Return the shape of a node's first output; None if its op is none of those here, or the rank is unknown."""
    rule = _RULES.get(node.op)
    return None if rule is None else rule(graph, node)


def infer_shapes(graph: Graph) -> None:
    """Work out the shapes that nothing says, as far as the rules here go; a damaged node has none.

    Args:
        graph: In order.
    """
    for node in graph:
        if graph.shape(node.ref()) is None:
            with contextlib.suppress(
                ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError
            ):
                shape = shape_of(graph, node)
                for port in range(node.outputs if node.op in _ALIKE else 1):
                    graph.set_shape(node.ref(port), shape)


def broadcast(shapes: Sequence[Dims | None]) -> Dims | None:
    """Return the shape that operands of these shapes broadcast to; an unknown side beside a known one is that or 1."""
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes):
        return None
    rank = max(map(len, known), default=0)
    sides = zip(*((1,) * (rank - len(shape)) + shape for shape in known), strict=True)
    return tuple(next((side for side in axis if side not in (None, 1)), None if None in axis else 1) for axis in sides)


def _integers(graph: Graph, ref: Ref) -> list[int] | None:
    value = graph.constant(ref)
    return None if value is None else [int(number) for number in value.ravel()]


def _elementwise(graph: Graph, node: Node) -> Dims | None:
    return broadcast([graph.shape(ref) for ref in node.inputs])


def _unchanged(graph: Graph, node: Node) -> Dims | None:
    return graph.shape(node.inputs[0])


def _of_vector(graph: Graph, ref: Ref) -> Dims | None:
    """Return the shape that a vector of sizes says, of which the length alone may be known; -1 is unknown."""
    if (sizes := _integers(graph, ref)) is not None:
        return tuple(None if size < 0 else size for size in sizes)
    shape = graph.shape(ref)
    return None if shape is None or shape[0] is None else (None,) * shape[0]


def _reshaped(graph: Graph, node: Node) -> Dims | None:
    made, given = _of_vector(graph, node.inputs[1]), graph.shape(node.inputs[0])
    if made is None or made.count(None) != 1 or given is None or None in given or 0 in made:
        return made
    rest = math.prod(size or 0 for size in given) // math.prod(size for size in made if size is not None)
    return tuple(rest if size is None else size for size in made)


def _permuted(graph: Graph, node: Node) -> Dims | None:
    shape, order = graph.shape(node.inputs[0]), _integers(graph, node.inputs[1])
    if shape is None or order is None:
        return None if shape is None else (None,) * len(shape)
    return tuple(shape[axis] for axis in order)


def _expanded(graph: Graph, node: Node) -> Dims | None:
    shape, axis = graph.shape(node.inputs[0]), _integers(graph, node.inputs[1])
    if shape is None or axis is None:
        return None if shape is None else (None,) * (len(shape) + 1)
    place = axis[0] % (len(shape) + 1)
    return (*shape[:place], 1, *shape[place:])


def _one_hot(graph: Graph, node: Node) -> Dims | None:
    shape, depth = graph.shape(node.inputs[0]), _integers(graph, node.inputs[1])
    if shape is None or node.attrs.get("axis", -1) != -1:
        return None
    return (*shape, None if depth is None else depth[0])


def _padded(graph: Graph, node: Node) -> Dims | None:
    shape, sides = graph.shape(node.inputs[0]), graph.constant(node.inputs[1])
    if shape is None or sides is None:
        return None if shape is None else (None,) * len(shape)
    return tuple(None if n is None else n + int(sum(pair)) for n, pair in zip(shape, sides, strict=True))


def _sliced(graph: Graph, node: Node) -> Dims | None:
    shape, (begin, sizes) = graph.shape(node.inputs[0]), (_integers(graph, ref) for ref in node.inputs[1:3])
    if shape is None or sizes is None:
        return None if shape is None else (None,) * len(shape)
    starts: Dims = (None,) * len(shape) if begin is None else tuple(begin)
    rest = (None if n is None or at is None else n - at for n, at in zip(shape, starts, strict=True))
    return tuple(left if size == -1 else size for size, left in zip(sizes, rest, strict=True))


def _sliced_by_steps(graph: Graph, node: Node) -> Dims | None:
    shape, ends = graph.shape(node.inputs[0]), [_integers(graph, ref) for ref in node.inputs[1:4]]
    if shape is None or node.attrs.get("ellipsis_mask", 0) != 0 or node.attrs.get("new_axis_mask", 0) != 0:
        return None
    slices = [slice(*each) for each in zip(*(end or [] for end in ends), strict=False)]
    made: list[int | None] = []
    for axis, n in enumerate(shape):
        if _bit(node, "shrink_axis_mask", axis):
            continue
        if n is None or None in ends:
            made.append(None)
        elif axis >= len(slices):
            made.append(n)
        else:
            first = None if _bit(node, "begin_mask", axis) else slices[axis].start
            last = None if _bit(node, "end_mask", axis) else slices[axis].stop
            made.append(len(range(n)[first : last : slices[axis].step]))
    return tuple(made)


def _bit(node: Node, mask: str, axis: int) -> bool:
    value = node.attrs.get(mask, 0)
    return isinstance(value, int) and bool(value >> axis & 1)


def _reduced(graph: Graph, node: Node) -> Dims | None:
    shape, axes = graph.shape(node.inputs[0]), _integers(graph, node.inputs[1])
    if shape is None or axes is None:
        return None
    gone = {axis % len(shape) for axis in axes} if shape else set()
    if node.attrs.get("keep_dims", False) is True:
        return tuple(1 if axis in gone else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in gone)


def _product(graph: Graph, node: Node) -> Dims | None:
    a, b = (graph.shape(ref) for ref in node.inputs[:2])
    if a is None or b is None:
        return None
    batch = broadcast([a[:-2], b[:-2]])
    turned = [node.attrs.get(f"adj_{x}", node.attrs.get(f"transpose_{y}", False)) for x, y in ("xa", "yb")]
    return (*(batch or ()), a[-1 if turned[0] is True else -2], b[-2 if turned[1] is True else -1])


def _joined(graph: Graph, node: Node) -> Dims | None:
    *refs, last = node.inputs
    shapes, axis = [graph.shape(ref) for ref in refs], _integers(graph, last)
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or axis is None:
        return (None,) * len(known[0]) if known else None
    sizes = zip(*known, strict=True)
    place = axis[0] % len(known[0])
    return tuple(_sum(each) if i == place else _same(each) for i, each in enumerate(sizes))


def _sum(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)


def _same(sizes: Sequence[int | None]) -> int | None:
    return next((size for size in sizes if size is not None), None)


def _packed(graph: Graph, node: Node) -> Dims | None:
    known = [shape for ref in node.inputs if (shape := graph.shape(ref)) is not None]
    axis = node.attrs.get("axis", 0)
    if not known or not isinstance(axis, int):
        return None
    place = axis % (len(known[0]) + 1)
    sizes = [_same(each) for each in zip(*known, strict=True)]
    return (*sizes[:place], len(node.inputs), *sizes[place:])


def _gathered(graph: Graph, node: Node) -> Dims | None:
    data, places = (graph.shape(ref) for ref in node.inputs[:2])
    axis = _integers(graph, node.inputs[2]) if node.op == "GatherV2" else [0]
    if data is None or places is None or axis is None or node.attrs.get("batch_dims", 0) != 0:
        return None
    at = axis[0] % len(data)
    return (*data[:at], *places, *data[at + 1 :])


def _tiled(graph: Graph, node: Node) -> Dims | None:
    shape, times = graph.shape(node.inputs[0]), _integers(graph, node.inputs[1])
    if shape is None or times is None:
        return None if shape is None else (None,) * len(shape)
    return tuple(None if n is None else n * k for n, k in zip(shape, times, strict=True))


def _repeated(graph: Graph, node: Node) -> Dims | None:
    return _of_vector(graph, node.inputs[1])


def _filled(graph: Graph, node: Node) -> Dims | None:
    return _of_vector(graph, node.inputs[0])


def _pooled(graph: Graph, node: Node) -> Dims | None:
    shape, windows, strides = graph.shape(node.inputs[0]), node.attrs["ksize"], node.attrs["strides"]
    if shape is None or node.attrs["padding"] not in {b"SAME", b"VALID"}:
        return None
    assert isinstance(windows, tuple)
    assert isinstance(strides, tuple)
    made: list[int | None] = []
    for n, window, stride in zip(shape, windows, strides, strict=True):
        assert isinstance(window, int)
        assert isinstance(stride, int)
        lost = 0 if node.attrs["padding"] == b"SAME" else window - 1
        made.append(None if n is None else -(-(n - lost) // stride))
    return tuple(made)


def _vector(_: Graph, __: Node) -> Dims:
    return (None,)


def _sizes(graph: Graph, node: Node) -> Dims:
    shape = graph.shape(node.inputs[0])
    return (None if shape is None else len(shape),)


def _number(_: Graph, __: Node) -> Dims:
    return ()


_Rule = Callable[[Graph, Node], Dims | None]
_RULES: Mapping[str, _Rule] = {
    **dict.fromkeys(
        "Abs Add AddN AddV2 Atan2 Cast Ceil Cos Div DivNoNan Elu Equal Erf Exp Expm1 Floor FloorDiv FloorMod Greater "
        "GreaterEqual IsFinite IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Maximum "
        "Minimum Mul Neg NotEqual Pow RealDiv Reciprocal Relu Relu6 Round Rsqrt SelectV2 Selu Sigmoid Sign Sin "
        "Softplus Sqrt Square SquaredDifference Sub Tan Tanh".split(),
        _elementwise,
    ),
    **dict.fromkeys("BiasAdd Cumprod Cumsum Identity LogSoftmax OnesLike Prelu ReverseV2 Softmax".split(), _unchanged),
    **dict.fromkeys("FusedBatchNormV3 TensorScatterUpdate ZerosLike".split(), _unchanged),
    **dict.fromkeys("All Any Max Mean Min Prod Sum".split(), _reduced),
    **dict.fromkeys("ArgMax ArgMin".split(), _reduced),
    **dict.fromkeys("BatchMatMul BatchMatMulV2 MatMul _FusedMatMul".split(), _product),
    **dict.fromkeys("AvgPool MaxPool".split(), _pooled),
    **dict.fromkeys("Pad PadV2".split(), _padded),
    "BroadcastTo": _repeated,
    "ConcatV2": _joined,
    "ExpandDims": _expanded,
    "Fill": _filled,
    "GatherV2": _gathered,
    "OneHot": _one_hot,
    "Pack": _packed,
    "Range": _vector,
    "Reshape": _reshaped,
    "Shape": _sizes,
    "Size": _number,
    "Slice": _sliced,
    "StridedSlice": _sliced_by_steps,
    "Tile": _tiled,
    "Transpose": _permuted,
}

#: What a rule may raise of a node without operands, or with attributes of another kind.
_DAMAGES = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
#: What has several outputs, all of one shape.
_ALIKE = frozenset({"Split", "TopKV2", "Unpack"})
