"""Lower the resizes that TF.js lacks to two products with constant matrices.

Given:   y = ResizeBicubic(x), ResizeArea(x) or ScaleAndTranslate(x)      x (N, H, W, C) → y (N, H', W', C)
Result:  y = B · (A · x)                          A (H', H) over the rows, B (W', W) over the columns

These resizes are linear, and act on rows and columns apart. A and B are what TensorFlow's own kernel makes of unit
vectors, so edges, the anti-aliasing and the bicubic kernel's table are its.

Bicubic and area resizes where a size is unknown, or computed, are left to ``lower_free_resize``.

Refuses: a size of another is unknown, or computed.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


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


def _matrix(match: _Match, axis: int) -> Array:
    """Return the matrix (new, old) of the rows (0) or the columns (1), float32."""
    import tensorflow as tf  # noqa: PLC0415 - whose kernel fixes the numbers

    old, size, node = match.sides[axis], int(match.options[0][axis]), match.node
    units = np.eye(old, dtype=np.float32)[None, :, None]  # (1, old, 1, old): unit vectors as channels
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
    rows, columns = _matrix(match, 0), _matrix(match, 1)
    data, dtype = node.inputs[0], node.attrs["T"]
    assert isinstance(dtype, DType)
    if dtype != FLOAT32:
        data = new.add("Cast", data, SrcT=dtype, DstT=FLOAT32)
    data = new.add("Reshape", data, new.constant([-1, height, width * channels]), T=FLOAT32, Tshape=INT32)
    data = new.add("BatchMatMulV2", new.constant(rows[None], "float32"), data, T=FLOAT32, adj_x=False, adj_y=False)
    data = new.add("Reshape", data, new.constant([-1, width, channels]), T=FLOAT32, Tshape=INT32)
    data = new.add("BatchMatMulV2", new.constant(columns[None], "float32"), data, T=FLOAT32, adj_x=False, adj_y=False)
    shape = new.constant([-1, len(rows), len(columns), channels])
    new.replace("Reshape", data, shape, T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"ResizeArea", "ResizeBicubic", "ScaleAndTranslate"}), _match, _apply)
