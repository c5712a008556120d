"""Lower a known projective transform of images, which TF.js lacks on cpu and webgpu, to gathers of known places.

Given:   y = ImageProjectiveTransformV3(x, t, size, fill)      x (N, H, W, C), t (1, 8); also V2, whose fill is 0
Result:  y = GatherV2(x', i, 1)                                x' (N, H·W, C); nearest
         y = Sum of Mul(GatherV2(x', i), w)                    bilinear: of four places i, by their shares w
         y = SelectV2(inside, y, fill)                         beyond the image, of CONSTANT; bilinear: per place

Output (r, c) is taken from ((t0·c + t1·r + t2) / k, (t3·c + t4·r + t5) / k), k = t6·c + t7·r + 1, in float32.

Refuses: the transform differs from image to image, or is computed; a size is unknown. V3 stays then.
Source: TensorFlow ``core/kernels/image/image_ops.h``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Sizes of the image (H, W, C) and of the result (H', W'); the transform (8,)."""

    node: Node
    sides: tuple[int, int, int]
    made: tuple[int, int]
    transform: Array
    mode: bytes


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape = graph.shape(node.inputs[0])
    transform, size = (graph.constant(ref) for ref in node.inputs[1:3])
    if transform is None or len(transform) != 1:
        return Miss("the transform is computed, or differs from image to image")
    if shape is None or None in shape[1:] or size is None:
        return Miss("a size is unknown, or computed")
    if node.attrs["dtype"] != FLOAT32:
        return Miss("the images are no float32: cast them before")
    mode = node.attrs.get("fill_mode", b"CONSTANT")
    assert isinstance(mode, bytes)
    height, width, channels = (side or 0 for side in shape[1:])
    return _Match(node, (height, width, channels), (int(size[0]), int(size[1])), transform[0], mode)


def _places(match: _Match) -> tuple[Array, Array]:
    """Return which row and column of the image each value is taken from (H', W'); NaN where there is none."""
    rows, columns = (np.arange(n, dtype=np.float32) for n in match.made)
    rows, columns = rows[:, None], columns[None]
    t = match.transform.astype(np.float32)
    with np.errstate(all="ignore"):
        factor = t[6] * columns + t[7] * rows + np.float32(1)
        factor = np.where(factor == 0, np.float32(np.nan), factor)
        x, y = ((t[i] * columns + t[i + 1] * rows + t[i + 2]) / factor for i in (0, 3))
    return _mapped(y, match.sides[0], match.mode), _mapped(x, match.sides[1], match.mode)


def _mapped(place: Array, side: int, mode: bytes) -> Array:
    """Bring places beyond the image into it, in TensorFlow's own steps."""
    length = np.float32(side)
    whole = np.trunc
    if mode == b"CONSTANT":
        return place
    if mode == b"REFLECT":
        double = 2 * length
        before = double * whole(-place / double) + place
        before = np.where(before < -length, before + double, -before - 1)
        after = place - double * whole(place / double)
        after = np.where(after >= length, double - after - 1, after)
    elif mode == b"WRAP":
        before = place + length * (whole(-place / max(length - 1, 1)) + 1)
        after = place - length * whole(place / max(length - 1, 1))
    else:
        before = after = place
    inner = np.where(place < 0, before, np.where(place > length - 1, after, place))
    return np.clip(inner if side > 1 else 0 * place, 0, length - 1)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    height, width, channels = match.sides
    flat = new.reshape(node.inputs[0], [-1, height * width, channels], FLOAT32)
    fill = node.inputs[3] if len(node.inputs) > 3 else new.constant(0, "float32")
    y, x = _places(match)
    if node.attrs["interpolation"] == b"NEAREST":
        made = _read(new, match, flat, fill, (_rounded(y), _rounded(x)))
    else:
        top, left = np.floor(y), np.floor(x)
        parts = []
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            share = (y - top if row else top + 1 - y) * (x - left if column else left + 1 - x)
            value = _read(new, match, flat, fill, (top + row, left + column))
            share = np.where(np.isnan(share), row == column == 0, share)
            weights = new.constant(share.reshape(-1, 1), "float32")
            parts.append(new.add("Mul", value, weights, T=FLOAT32))
        made = new.add("AddN", *parts, T=FLOAT32, N=len(parts))
    new.replace("Reshape", made, new.constant([-1, *match.made, channels]), T=FLOAT32, Tshape=INT32)


def _rounded(place: Array) -> Array:
    """Round halves away from zero, as C does."""
    return np.asarray(np.sign(place) * np.floor(np.abs(place) + np.float32(0.5)))


def _read(new: Lowering, match: _Match, flat: Ref, fill: Ref, place: tuple[Array, Array]) -> Ref:
    """Return the values (N, H'·W', C) at rows and columns, and the fill where these are beyond the image."""
    (rows, columns), (height, width, _) = place, match.sides
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    indices = np.where(inside, rows * width + columns, 0).astype(np.int32).ravel()
    attrs: dict[str, Attr] = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
    values = new.add("GatherV2", flat, new.constant(indices), new.constant(1), **attrs)
    if inside.all():
        return values
    return new.add("SelectV2", new.constant(inside.reshape(-1, 1), "bool"), values, fill, T=FLOAT32)


PASS = Rewrite(__name__, frozenset({"ImageProjectiveTransformV2", "ImageProjectiveTransformV3"}), _match, _apply)
