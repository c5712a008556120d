"""Lower the resizes that TF.js lacks to weighted sums over the rows, then over the columns.

Given:   y = ResizeBicubic(x), ResizeArea(x) or ScaleAndTranslate(x)      x (N, H, W, C) → y (N, H', W', C)
Result:  y[i] = Σ w[i, k] · x[j[i, k]]            of the rows that count, if they are few
         y = A · x                                A (H', H), else

These resizes are linear, and act on rows and columns apart. The weights are what TensorFlow's own kernel makes of unit
vectors, so edges, the anti-aliasing and the bicubic kernel's table are its; which rows count, it says of NaN in their
place. A · x makes NaN of a whole image where one pixel is NaN or infinite.

Bicubic and area resizes where a size is unknown, or computed, are left to ``lower_free_resize``.

Refuses: a size of another is unknown, or computed.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

#: Of more rows, a product with a matrix needs less memory.
_MOST_ROWS = 8


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    sides: tuple[int, int, int]
    options: list[Array]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    options = [graph.constant(ref) for ref in node.inputs[1:]]
    shape = graph.shape(node.inputs[0])
    if shape is None or len(shape) != 4 or None in shape[1:] or any(value is None for value in options):
        return Miss("a size is unknown, or computed") if node.op == "ScaleAndTranslate" else None
    _, height, width, channels = (side or 0 for side in shape)
    return _Match(node, (height, width, channels), [value for value in options if value is not None])


def _matrix(match: _Match, axis: int, unit: float = 1.0) -> Array:
    """Return the matrix (new, old) of the rows (0) or the columns (1), float32; ``unit`` stands for its ones."""
    import tensorflow as tf  # noqa: PLC0415 - whose kernel fixes the numbers

    old, size, node = match.sides[axis], int(match.options[0][axis]), match.node
    units = np.where(np.eye(old, dtype=bool), np.float32(unit), np.float32(0))[None, :, None]  # as channels
    attrs = {key: value for key, value in node.attrs.items() if key in _ATTRIBUTES and isinstance(value, (bool, bytes))}
    if node.op == "ScaleAndTranslate":
        scale, translation = match.options[1:]
        made = tf.raw_ops.ScaleAndTranslate(
            images=units, size=[size, 1], scale=[scale[axis], 1.0], translation=[translation[axis], 0.0], **attrs
        )
    else:
        made = getattr(tf.raw_ops, node.op)(images=units, size=[size, 1], **attrs)
    return np.asarray(made)[0, :, 0]


_ATTRIBUTES = frozenset({"align_corners", "half_pixel_centers", "kernel_type", "antialias"})


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    height, width, channels = match.sides
    data, dtype = node.inputs[0], node.attrs["T"]
    assert isinstance(dtype, DType)
    if dtype != FLOAT32:
        data = new.add("Cast", data, SrcT=dtype, DstT=FLOAT32)
    data = _resized(new, match, 0, new.reshape(data, [-1, height, width * channels], FLOAT32), width * channels)
    data = _resized(new, match, 1, new.reshape(data, [-1, width, channels], FLOAT32), channels)
    shape = new.constant([-1, *(int(size) for size in match.options[0]), channels])
    new.replace("Reshape", data, shape, T=FLOAT32, Tshape=INT32)


def _resized(new: Lowering, match: _Match, axis: int, data: Ref, rest: int) -> Ref:
    """Resize the second of three axes."""
    matrix, counts = _matrix(match, axis), np.isnan(_matrix(match, axis, np.nan))
    most = int(counts.sum(1).max())
    if most > _MOST_ROWS or not counts.any(1).all():
        product = new.constant(matrix[None], "float32"), data
        return new.add("BatchMatMulV2", *product, T=FLOAT32, adj_x=False, adj_y=False)
    rows = [_evened(np.flatnonzero(counts[i]), matrix[i], most) for i in range(len(matrix))]
    index, weights = (np.stack(each) for each in zip(*rows, strict=True))
    sizes = [len(matrix), most, rest]
    return new.weighed(data, new.constant(index.ravel()), new.constant(weights, "float32"), sizes)


def _evened(index: Array, weights: Array, length: int) -> tuple[Array, Array]:
    """Return the rows that count and their weights, as many as ``length``; the last comes in halves, never with a 0."""
    missing = length - len(index)
    halves = 0.5 ** np.minimum(np.arange(1, missing + 2), max(missing, 0))
    return np.append(index, index[-1:].repeat(missing)), np.append(weights[index[:-1]], weights[index[-1]] * halves)


PASS = Rewrite(__name__, frozenset({"ResizeArea", "ResizeBicubic", "ScaleAndTranslate"}), _match, _apply)
