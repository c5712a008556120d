"""Lower draws from several distributions: TF.js draws the same random numbers for each, and none from one outcome.

Given:   y = Multinomial(logits, n)                  more than one row, or an unknown number; or one outcome alone
Result:  u = Minimum(RandomUniform([rows, n, outcomes]), 1 - 2⁻²⁴)
         y = ArgMax(ExpandDims(logits, 1) - Log(-Log(u)), -1)

As float32 a random number may be 1, hence the minimum.

Source: E. J. Gumbel, the maximum of logits with Gumbel noise is drawn from their softmax; tfjs-backend-cpu
``src/kernels/Multinomial.ts``, 4.22.
"""

from __future__ import annotations

import dataclasses

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph.ir import DType, Graph, Node
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Rewrite


@dataclasses.dataclass(frozen=True)
class _Match:
    node: Node
    shape: Dims


def _match(graph: Graph, node: Node) -> _Match | None:
    rows, outcomes = graph.shape(node.inputs[0]) or (None, None)
    return None if rows == 1 and outcomes != 1 else _Match(node, (rows, outcomes))


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    logits, count = node.inputs
    sizes = [known if known is not None else new.size(logits, axis) for axis, known in enumerate(match.shape)]
    shape = new.dims([sizes[0], count, sizes[1]])
    seeds = {key: value for key, value in node.attrs.items() if key.startswith("seed")}
    drawn = new.add("RandomUniform", shape, **seeds, dtype=FLOAT32, T=INT32)
    below_one = new.add("Minimum", drawn, new.constant(1 - 2**-24, "float32"), T=FLOAT32)
    inner = new.add("Neg", new.add("Log", below_one, T=FLOAT32), T=FLOAT32)
    noise = new.add("Log", inner, T=FLOAT32)
    dtype = node.attrs["T"]
    assert isinstance(dtype, DType)
    noisy = new.add("Sub", new.expand(logits, 1, dtype), noise, T=FLOAT32)
    attrs = {"T": FLOAT32, "Tidx": INT32, "output_type": node.attrs.get("output_dtype", DType("int64"))}
    new.replace("ArgMax", noisy, new.constant(2), **attrs)


PASS = Rewrite(__name__, frozenset({"Multinomial"}), _match, _apply)
