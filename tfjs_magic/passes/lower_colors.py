"""Lower the ops on colors that TF.js lacks to arithmetic of their channels.

Given:   y = RGBToHSV(x)              x (…, 3)
Result:  v = max(r, g, b);  d = v - min(r, g, b);  s = d / v, 0 where v <= 0
         h = ((g - b) / d, 2 + (b - r) / d or 4 + (r - g) / d) / 6, as r, g or b is v;  0 where d = 0;  + 1 where h < 0
Given:   y = HSVToRGB(x)
Result:  y = (1 - s + s·ramp(6·h))·v  ramp: (|t - 3| - 1, 2 - |t - 2|, 2 - |t - 4|), between 0 and 1
Given:   y = AdjustSaturation(x, factor)
Result:  y = HSVToRGB(h, clip(s·factor), v)
Given:   y = AdjustHue(x, delta)
Result:  y = min + d·ramp(6·(h + delta) mod 6)

Refuses: the rank is unknown; other numbers than float32.
Source: TensorFlow ``core/kernels/image/colorspace_op.h``, ``adjust_hue_op.cc`` and ``adjust_saturation_op.cc``.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.graph.ir import Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    last: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    shape = graph.shape(node.inputs[0])
    if shape is None:
        return Miss("the rank of the images is unknown: give it with inputs={…}")
    if node.attrs.get("T", FLOAT32) != FLOAT32:
        return Miss("the images are no float32: cast them before")
    return _Match(node, len(shape) - 1)


class _Colors:
    """Arithmetic of channels (…, 1)."""

    def __init__(self, new: Lowering, last: int) -> None:
        self._new, self._last = new, last

    def __call__(self, op: str, *operands: Ref | float) -> Ref:
        """Add arithmetic of channels and numbers."""
        refs = (ref if isinstance(ref, str) else self._new.constant(ref, "float32") for ref in operands)
        return self._new.add(op, *refs, T=FLOAT32)

    def channels(self, x: Ref) -> list[Ref]:
        """Take the last axis apart."""
        begins = ([0] * self._last + [channel] for channel in range(3))
        size = self._new.constant([-1] * self._last + [1])
        return [self._new.add("Slice", x, self._new.constant(at), size, T=FLOAT32, Index=INT32) for at in begins]

    def hue(self, x: Ref) -> tuple[Ref, Ref, Ref]:
        """Return the hue in sixths (-1 to 5), the largest of the channels, and how far the least is from it."""
        r, g, b = self.channels(x)
        most, least = self("Maximum", self("Maximum", r, g), b), self("Minimum", self("Minimum", r, g), b)
        distance = self("Sub", most, least)
        divisor = self.choice("Greater", distance, 0, distance, 1)
        by_green = self("AddV2", self("RealDiv", self("Sub", b, r), divisor), 2)
        by_blue = self("AddV2", self("RealDiv", self("Sub", r, g), divisor), 4)
        by_red = self("RealDiv", self("Sub", g, b), divisor)
        hue = self.choice("Equal", r, most, by_red, self.choice("Equal", g, most, by_green, by_blue))
        return self.choice("Greater", distance, 0, hue, 0), most, distance

    def choice(self, comparison: str, one: Ref, other: Ref | float, yes: Ref | float, no: Ref | float) -> Ref:
        """Choose by a comparison."""
        return self("SelectV2", self(comparison, one, other), yes, no)

    def saturation(self, value: Ref, distance: Ref) -> Ref:
        """Return the part of the value that is color."""
        divisor = self.choice("Greater", value, 0, value, 1)
        return self.choice("Greater", value, 0, self("RealDiv", distance, divisor), 0)

    def ramps(self, sixths: Ref) -> list[Ref]:
        """Return how much red, green and blue a hue has, each between 0 and 1."""

        def distance(centre: float) -> Ref:
            return self("Abs", self("Sub", sixths, centre))

        ramps = self("Sub", distance(3), 1), self("Sub", 2, distance(2)), self("Sub", 2, distance(4))
        return [self("Minimum", self("Maximum", ramp, 0), 1) for ramp in ramps]

    def mixed(self, sixths: Ref, saturation: Ref, value: Ref) -> list[Ref]:
        """Return red, green and blue."""
        white = self("Sub", 1, saturation)
        return [self("Mul", self("AddV2", white, self("Mul", saturation, ramp)), value) for ramp in self.ramps(sixths)]


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    color = _Colors(new, match.last)
    if node.op == "HSVToRGB":
        hue, saturation, value = color.channels(node.inputs[0])
        channels = color.mixed(color("Mul", hue, 6), saturation, value)
    else:
        sixths, value, distance = color.hue(node.inputs[0])
        if node.op == "AdjustHue":
            turned = color("FloorMod", color("AddV2", sixths, color("Mul", node.inputs[1], 6)), 6)
            least = color("Sub", value, distance)
            channels = [color("AddV2", least, color("Mul", distance, ramp)) for ramp in color.ramps(turned)]
        else:
            saturation = color.saturation(value, distance)
            sixths = color.choice("Less", sixths, 0, color("AddV2", sixths, 6), sixths)
            if node.op == "RGBToHSV":
                channels = [color("Mul", sixths, 1 / 6), saturation, value]
            else:
                scaled = color("Minimum", color("Maximum", color("Mul", saturation, node.inputs[1]), 0), 1)
                channels = color.mixed(sixths, scaled, value)
    new.replace("ConcatV2", *channels, new.constant(match.last), T=FLOAT32, Tidx=INT32, N=3)


PASS = Rewrite(__name__, frozenset({"AdjustHue", "AdjustSaturation", "HSVToRGB", "RGBToHSV"}), _match, _apply)
