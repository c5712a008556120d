"""Lower resizes of images of any size, which TF.js lacks, to weighted sums over the rows, then over the columns.

Given:   y = ResizeBicubic(x, size), ResizeArea(x, size)      x (N, H, W, C), a size known only in the browser
Result:  bicubic: y[i] = Σ w[i, k] · x[j + k]     of the four rows around scale·i, w by a table of 1024 steps
         area: y = A · x                          A[i, j] = how much of scale·i … scale·(i + 1) is in j … j + 1

A · x makes NaN of a whole image where one pixel is NaN or infinite.

Sizes that are known are left to ``lower_resize``.

Refuses: the rank is unknown.
Source: TensorFlow ``core/kernels/image/resize_bicubic_op.cc`` and ``resize_area_op.cc``.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_STEPS = 1024
#: Right of every image.
_FAR = 1e9


def _match(graph: Graph, node: Node) -> Node | Miss | None:
    shape = graph.shape(node.inputs[0])
    if shape is None:
        return Miss("the rank of the images is unknown")
    return node if None in shape[1:] or graph.constant(node.inputs[1]) is None else None


@dataclasses.dataclass(frozen=True)
class _Scale:
    """An axis: its old and its new size as int32, and one by the other; arithmetic of float32."""

    new: Lowering
    old: Ref
    made: Ref
    corners: bool

    def __call__(self, op: str, *operands: Ref | float, **attrs: Attr) -> Ref:
        """Add arithmetic of tensors and numbers."""
        refs = (ref if isinstance(ref, str) else self.new.constant(ref, "float32") for ref in operands)
        return self.new.add(op, *refs, T=FLOAT32, **attrs)

    def cast(self, ref: Ref) -> Ref:
        """Make float32 of int32."""
        return self.new.add("Cast", ref, SrcT=INT32, DstT=FLOAT32)

    @property
    def step(self) -> Ref:
        """How many old values a new one stands for."""
        old, made = self.cast(self.old), self.cast(self.made)
        step = self("RealDiv", old, made)
        if not self.corners:
            return step
        between = self("Sub", old, 1), self("Maximum", self("Sub", made, 1), 1)
        return self("SelectV2", self("Greater", made, 1), self("RealDiv", *between), step)

    def numbers(self, size: Ref, axis: int) -> Ref:
        """Return 0, 1 … as float32, with one more axis."""
        return self.new.expand(self.cast(self.new.range(size)), axis, FLOAT32)


def _bicubic(scale: _Scale, data: Ref, rest: int | Ref, *, is_centred: bool) -> Ref:
    """Resize the second of three axes. Beyond the image there is nothing where pixels are centred, else its edge."""
    new = scale.new
    places = scale.numbers(scale.made, 1)
    if is_centred:
        places = scale("Sub", scale("Mul", scale("AddV2", places, 0.5), scale.step), 0.5)
    else:
        places = scale("Mul", places, scale.step)
    first = scale("Floor", places)
    step = scale("Round", scale("Mul", scale("Sub", places, first), _STEPS))
    index = new.add("Cast", new.vector(step, FLOAT32), SrcT=FLOAT32, DstT=INT32)
    table = new.constant(_table(-0.5 if is_centred else -0.75), "float32")
    attrs: dict[str, Attr] = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
    weights = new.add("GatherV2", table, index, new.constant(0), **attrs)
    around = scale("AddV2", first, new.constant([[-1, 0, 1, 2]], "float32"))
    rows = scale("Maximum", scale("Minimum", around, scale("Sub", scale.cast(scale.old), 1)), 0)
    if is_centred:
        weights = scale("SelectV2", scale("Equal", rows, around), weights, 0)
        total = scale("Sum", weights, new.constant([1]), Tidx=INT32, keep_dims=True)
        weights = scale("RealDiv", weights, total)
    taken = new.add("Cast", new.vector(rows, FLOAT32), SrcT=FLOAT32, DstT=INT32)
    return new.weighed(data, taken, weights, [scale.made, 4, rest])


def _table(a: float) -> Array:
    """Return the weights of the values at -1, 0, 1 and 2 for each step from 0 to 1 (1025, 4)."""
    near = np.arange(_STEPS + 1) / _STEPS
    far = near + 1
    inner = ((a + 2) * near - (a + 3)) * near**2 + 1
    outer = ((a * far - 5 * a) * far + 8 * a) * far - 4 * a
    return np.stack([outer, inner, inner[::-1], outer[::-1]], 1)


def _area(scale: _Scale, data: Ref, _: int | Ref) -> Ref:
    """Resize the second of three axes; the last value goes on beyond the edge, and the only one everywhere."""
    new, step = scale.new, scale.step
    number = scale.numbers(scale.made, 1)
    begin, end = scale("Mul", number, step), scale("Mul", scale("AddV2", number, 1), step)
    left = scale.numbers(scale.old, 0)
    is_last = scale("Equal", left, scale("Sub", scale.cast(scale.old), 1))
    right = scale("SelectV2", is_last, _FAR, scale("AddV2", left, 1))
    shared = scale("Sub", scale("Minimum", end, right), scale("Maximum", begin, left))
    shares = scale("RealDiv", scale("Maximum", shared, 0), step)
    matrix = scale("SelectV2", scale("Greater", step, 0), shares, 1) if scale.corners else shares
    return new.add("BatchMatMulV2", new.expand(matrix, 0, FLOAT32), data, T=FLOAT32, adj_x=False, adj_y=False)


def _apply(_graph: Graph, node: Node) -> None:
    new, (data, size), dtype = Lowering(_graph, node), node.inputs, node.attrs["T"]
    assert isinstance(dtype, DType)
    corners = node.attrs.get("align_corners", False) is True
    height, width, channels = (new.size(data, axis) for axis in (1, 2, 3))
    made = [new.element(size, axis) for axis in (0, 1)]
    if dtype != FLOAT32:
        data = new.add("Cast", data, SrcT=dtype, DstT=FLOAT32)
    scales = [_Scale(new, old, now, corners) for old, now in zip((height, width), made, strict=True)]
    centred = node.attrs.get("half_pixel_centers", False) is True
    resize = _area if node.op == "ResizeArea" else functools.partial(_bicubic, is_centred=centred)
    rest = new.integer("Mul", width, channels)
    data = resize(scales[0], new.reshape(data, [-1, height, rest], FLOAT32), rest)
    data = resize(scales[1], new.reshape(data, [-1, width, channels], FLOAT32), channels)
    new.replace("Reshape", data, new.dims([-1, *made, channels]), T=FLOAT32, Tshape=INT32)


PASS = Rewrite(__name__, frozenset({"ResizeArea", "ResizeBicubic"}), _match, _apply)
