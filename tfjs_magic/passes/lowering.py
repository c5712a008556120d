"""Write the nodes that take another's place: names, dtypes and sizes that are known only in the browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.graph.shapes import shape_of

INT32 = DType("int32")
FLOAT32 = DType("float32")
BOOL = DType("bool")
#: For fewer values a node more costs wasm more than what it saves; why a pass declines then.
_FEWEST_VALUES = 2**15
FEW_VALUES = "there are few values"


def has_many_values(graph: Graph, ref: Ref) -> bool:
    """Whether wasm makes a tensor sooner in many quick kernels than in a slow one; unknown sizes count as 1."""
    return math.prod(1 if size is None else size for size in graph.shape(ref) or ()) >= _FEWEST_VALUES


class Lowering:
    """Adds nodes that are named after ``node``; :meth:`replace` ends with the one that takes its place."""

    def __init__(self, graph: Graph, node: Node) -> None:
        self._graph = graph
        self._node = node

    def constant(self, value: Any, dtype: str = "int32") -> Ref:
        """Add a constant."""
        return self._graph.add_constant(f"{self._node.name}/const", np.asarray(value, dtype))

    def add(self, op: str, *inputs: Ref, **attrs: Attr) -> Ref:
        """Add a node; return the ref of its first output."""
        name = self._graph.fresh_name(f"{self._node.name}/{op}")
        node = self._graph.add(Node(name, op, list(inputs), attrs))
        self._graph.set_shape(node.ref(), shape_of(self._graph, node))  # what comes after asks for the rank
        return node.ref()

    def reshape(self, ref: Ref, shape: Sequence[int | Ref], dtype: Attr) -> Ref:
        """Add a Reshape to sizes, some of which may be computed."""
        return self.add("Reshape", ref, self.dims(shape), T=dtype, Tshape=INT32)

    def dims(self, sizes: Sequence[int | Ref]) -> Ref:
        """Return sizes, some of which may be computed, as an int32 vector."""
        if not any(isinstance(size, str) for size in sizes):
            return self.constant(sizes)
        scalars = [size if isinstance(size, str) else self.constant(size) for size in sizes]
        return self.add("Pack", *scalars, axis=0, N=len(scalars), T=INT32)

    def vector(self, ref: Ref, dtype: Attr) -> Ref:
        """Add a Reshape to one axis."""
        flat = self.reshape(ref, [-1], dtype)
        self._graph.set_shape(flat, (None,))
        return flat

    def replace(self, op: str, *inputs: Ref, **attrs: Attr) -> None:
        """Put the last node in the place of the lowered one."""
        node = Node(self._node.name, op, list(inputs), attrs)
        self._graph.replace_node(node.name, node)
        if self._graph.shape(node.ref()) is None:
            self._graph.set_shape(node.ref(), shape_of(self._graph, node))

    def shape(self, ref: Ref) -> Ref:
        """Return a shape as an int32 vector: a constant, with -1 for the one size that may be unknown, or computed."""
        shape = self._graph.shape(ref)
        if shape is not None and shape.count(None) <= 1:
            return self.constant([-1 if side is None else side for side in shape])
        return self.add("Shape", ref, out_type=INT32)

    def shape_now(self, ref: Ref) -> Ref:
        """Return a shape as an int32 vector: a constant where it is known as a whole, or computed."""
        shape = self._graph.shape(ref)
        known = shape is not None and None not in shape
        return self.constant(shape) if known else self.add("Shape", ref, out_type=INT32)

    def size(self, ref: Ref, axis: int) -> Ref:
        """Return the size of an axis as an int32 scalar: a constant where it is known."""
        shape = self._graph.shape(ref)
        if shape is not None and (known := shape[axis]) is not None:
            return self.constant(known)
        sizes = self.add("Shape", ref, out_type=INT32)
        assert axis >= 0 or shape is not None, "the rank must be known to count from the back"
        return self.element(sizes, axis if axis >= 0 else axis + len(shape or ()))

    def element(self, vector: Ref, place: int) -> Ref:
        """Return one value of an int32 vector as a scalar."""
        places = self.constant(place), self.constant(0)
        return self.add("GatherV2", vector, *places, Tparams=INT32, Tindices=INT32, Taxis=INT32)

    def integer(self, op: str, one: int | Ref, other: int | Ref) -> Ref:
        """Add arithmetic of two int32 scalars."""
        operands = (ref if isinstance(ref, str) else self.constant(ref) for ref in (one, other))
        return self.add(op, *operands, T=INT32)

    def quotient(self, number: Ref, divisor: int) -> Ref:
        """Divide an int32 scalar below 2²² by a positive number, and round down.

        TF.js divides integers on the GPU, even sizes, and reads them back at once; this it leaves to the cpu.
        """
        as_float = self.add("Cast", number, SrcT=INT32, DstT=FLOAT32)
        half = self.add("AddV2", as_float, self.constant(0.5, "float32"), T=FLOAT32)
        exact = self.add("Mul", half, self.constant(1 / divisor, "float32"), T=FLOAT32)
        return self.add("Cast", self.add("Floor", exact, T=FLOAT32), SrcT=FLOAT32, DstT=INT32)

    def range(self, size: Ref) -> Ref:
        """Return 0, 1 … size - 1 as int32."""
        known = self._graph.constant(size)
        if known is not None:
            return self.constant(np.arange(int(known)))
        numbers = self.add("Range", self.constant(0), size, self.constant(1), Tidx=INT32)
        self._graph.set_shape(numbers, (None,))
        return numbers

    def weighed(self, data: Ref, index: Ref, weights: Ref, sizes: Sequence[int | Ref]) -> Ref:
        """Return Σₖ weights[i, k] · data[b, index[i, k], r]: rows that are not looked up have no say, be they NaN.

        Args:
            data: (b, rows, r), float32.
            index: (i · k,), int32.
            weights: (i, k), float32.
            sizes: i, k and r.
        """
        attrs: dict[str, Attr] = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
        taken = self.reshape(self.add("GatherV2", data, index, self.constant(1), **attrs), [-1, *sizes], FLOAT32)
        scaled = self.add("Mul", taken, self.expand(weights, 2, FLOAT32), T=FLOAT32)
        return self.add("Sum", scaled, self.constant([2]), T=FLOAT32, Tidx=INT32, keep_dims=False)

    def expand(self, ref: Ref, axis: int, dtype: DType) -> Ref:
        """Add an axis of size 1."""
        return self.add("ExpandDims", ref, self.constant(axis), T=dtype, Tdim=INT32)
