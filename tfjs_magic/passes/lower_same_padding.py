"""Write SAME padding out where a stride leaves data out: TF.js would pad by a negative number, and shift the data.

Given:   y = Conv2D(x, W), DepthwiseConv2dNative or Conv3D      padding SAME, a stride longer than the kernel
Result:  the same with padding VALID where no axis is padded; else EXPLICIT, or for Conv3D after a Pad

Per axis, I long, stride s, kernel K with its dilation: max((⌈I / s⌉ - 1)·s + K - I, 0) zeros, the odd one behind.

Refuses: a size that the padding depends on is unknown; the shape of the weights is unknown; the channels are not last.
Source: tfjs-core ``src/ops/conv_util.ts``, ``get3DPadAndOutInfo``, 4.22, for Conv3D; in 2-D only wasm is wrong.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.conditions import axis_sizes, is_channels_first, leaves_data_out
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.passes.lowering import INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    """Zeros in front and behind per axis of the window."""

    node: Node
    paddings: list[tuple[int, int]]


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.attrs["padding"] != b"SAME":
        return None
    if is_channels_first(graph, node):
        return Miss("the channels are not last")
    kernel = graph.shape(node.inputs[1])
    if kernel is None or None in kernel[:-2]:
        return Miss("the shape of the weights is unknown")
    if not leaves_data_out(graph, node):
        return None
    strides = axis_sizes(node, "strides")
    rates = axis_sizes(node, "dilations") or (1,) * len(strides)
    windows = [((side or 1) - 1) * rate + 1 for side, rate in zip(kernel[:-2], rates, strict=False)]
    sizes = (graph.shape(node.inputs[0]) or (None,) * len(kernel))[1:-1]
    totals = [_total(*axis) for axis in zip(sizes, windows, strides, strict=True)]
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return Miss("a size that the padding depends on is unknown")
    return _Match(node, [(total // 2, total - total // 2) for total in known])


def _total(size: int | None, window: int, stride: int) -> int | None:
    """Return the zeros that SAME adds to an axis; None if that depends on its unknown size."""
    if window == 1 or stride == 1:
        return window - 1
    return None if size is None else max((-(-size // stride) - 1) * stride + window - size, 0)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    data, *others = node.inputs
    paddings = [(0, 0), *match.paddings, (0, 0)]
    padded, attrs = any(map(any, paddings)), {**node.attrs, "padding": b"VALID"}
    if padded and node.op == "Conv3D":
        shape = graph.shape(data)
        data = new.add("Pad", data, new.constant(paddings), T=node.attrs["T"], Tpaddings=INT32)
        if shape is not None:
            graph.set_shape(data, tuple(n if n is None else n + sum(p) for n, p in zip(shape, paddings, strict=True)))
    elif padded:
        sides = tuple(side for pair in paddings for side in pair)
        attrs |= {"padding": b"EXPLICIT", "explicit_paddings": sides}
    new.replace(node.op, data, *others, **attrs)


PASS = Rewrite(__name__, frozenset({"Conv2D", "Conv3D", "DepthwiseConv2dNative"}), _match, _apply)
