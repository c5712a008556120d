"""Lower fake quantization of quantization-aware training, which TF.js lacks or leaves out.

Given:   y = FakeQuantWithMinMaxVars(x, min, max)             constant ranges; also …Args, …VarsPerChannel
Result:  y = floor((clip(x) - min) / s - zero + 0.5) · s      min, max and s moved so that 0 is a step
Given:   y = QuantizeAndDequantizeV2(x, min, max)             also V3, V4
Result:  y = round(clip(x) · s) / s                           half to even, or up

TensorFlow's own CPUs differ in the last bit of the product, so that a value just between two steps may go either way.

Refuses: the range is computed; it differs along an axis (QuantizeAndDequantize).
Source: TensorFlow ``core/kernels/fake_quant_ops_functor.h`` and ``quantize_and_dequantize_op.h``, 2.21.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_FAKE = frozenset({"FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"})
_TWO_WAY = frozenset({"QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4"})


@dataclasses.dataclass(frozen=True)
class _Match:
    """What is clipped to, and how the rest is rounded: ``(x - offset) · inverse - zero`` to a whole number of scales.

    All of them float32: numbers, or one per channel.
    """

    node: Node
    least: Any
    most: Any
    scale: Any
    inverse: Any
    zero: Any
    offset: Any
    half_to_even: bool


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    if node.attrs.get("T", FLOAT32) != FLOAT32:
        return Miss("its data are no float32")
    if node.op == "FakeQuantWithMinMaxArgs":
        return _faked(node, *(np.asarray(node.attrs[key], np.float32) for key in ("min", "max")))
    ranges = [value for ref in node.inputs[1:] if (value := graph.constant(ref)) is not None]
    if len(ranges) < len(node.inputs) - 1:
        return Miss("the range is computed")
    return _faked(node, *ranges) if node.op in _FAKE else _two_way(node, *ranges)


def _faked(node: Node, least: Array, most: Array) -> _Match:
    """Move the range so that 0 is a step."""
    bits = node.attrs.get("num_bits", 8)
    assert isinstance(bits, int)
    first = np.float32(1 if node.attrs.get("narrow_range", False) else 0)
    last = np.float32((1 << bits) - 1)
    nothing = (least == 0) & (most == 0)
    scale = np.where(nothing, np.float32(1), (most - least) / (last - first))
    exact = first - least / scale
    zero = np.clip(np.floor(exact + np.float32(0.5)), first, last)
    least, most, inverse = (first - zero) * scale, (last - zero) * scale, np.float32(1) / scale
    shift = np.floor(-least * inverse + np.float32(0.5))
    scale = np.where(nothing, np.float32(0), scale)
    return _Match(node, least, most, scale, inverse, shift, least, half_to_even=False)


def _two_way(node: Node, least: Array, most: Array, number_of_bits: Array | None = None) -> _Match | Miss:
    """Take the finer of the two scales that map an end of the range to the last step."""
    if node.attrs.get("axis", -1) != -1:
        return Miss("the range differs along an axis")
    if node.attrs.get("range_given", False) is not True:
        return Miss("the range is that of the data")
    bits = node.attrs.get("num_bits", 8) if number_of_bits is None else int(number_of_bits)
    assert isinstance(bits, int)
    signed, narrow = node.attrs.get("signed_input", True), node.attrs.get("narrow_range", False)
    first = np.float32((-(1 << (bits - 1)) + (1 if narrow else 0)) if signed else 0)
    last = np.float32((1 << (bits - 1)) - 1 if signed else (1 << bits) - 1)
    huge = np.finfo(np.float32).max
    by_least = first / least if first * least > 0 else huge
    by_most = last / most if last * most > 0 else huge
    step = least / first if by_least < by_most else most / last
    return _Match(
        node,
        least=least if by_least < by_most else first * step,
        most=last * step if by_least < by_most else most,
        scale=step,
        inverse=np.minimum(by_least, by_most),
        zero=np.float32(0),
        offset=np.float32(0),
        half_to_even=node.attrs.get("round_mode", b"HALF_TO_EVEN") == b"HALF_TO_EVEN",
    )


def _apply(graph: Graph, match: _Match) -> None:
    new = Lowering(graph, match.node)

    def by(op: str, x: Ref, value: Any) -> Ref:
        return new.add(op, x, new.constant(value, "float32"), T=FLOAT32)

    x = by("Maximum", by("Minimum", match.node.inputs[0], match.most), match.least)
    x = by("Mul", by("Sub", x, match.offset) if match.offset.any() else x, match.inverse)
    x = by("Sub", x, match.zero) if match.zero.any() else x
    x = new.add("Round", x, T=FLOAT32) if match.half_to_even else new.add("Floor", by("AddV2", x, 0.5), T=FLOAT32)
    new.replace("Mul", x, new.constant(match.scale, "float32"), T=FLOAT32)


PASS = Rewrite(__name__, _FAKE | _TWO_WAY, _match, _apply)
