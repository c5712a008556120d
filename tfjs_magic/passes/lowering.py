"""Write the nodes that take another's place: names, dtypes and sizes that are known only in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfjs_magic.graph.ir import Attr, DType, Graph, Node

INT32 = DType("int32")
FLOAT32 = DType("float32")
BOOL = DType("bool")


class Lowering:
    """Adds nodes that are named after ``node``; :meth:`replace` ends with the one that takes its place."""

    def __init__(self, graph: Graph, node: Node) -> None:
        self._graph = graph
        self._node = node

    def constant(self, value: Any, dtype: str = "int32") -> str:
        """Add a constant; return its ref."""
        return self._graph.add_constant(f"{self._node.name}/const", np.asarray(value, dtype))

    def add(self, op: str, *inputs: str, **attrs: Attr) -> str:
        """Add a node; return its ref."""
        name = self._graph.fresh_name(f"{self._node.name}/{op}")
        return self._graph.add(Node(name, op, list(inputs), attrs)).name

    def reshape(self, ref: str, shape: Sequence[int], dtype: Attr) -> str:
        """Add a Reshape to a constant shape."""
        return self.add("Reshape", ref, self.constant(shape), T=dtype, Tshape=INT32)

    def replace(self, op: str, *inputs: str, **attrs: Attr) -> None:
        """Put the last node in the place of the lowered one."""
        self._graph.replace_node(self._node.name, Node(self._node.name, op, list(inputs), attrs))

    def shape(self, ref: str) -> str:
        """Return the shape as an int32 vector: a constant where it is known, but for one size."""
        shape = self._graph.shape(ref)
        if shape is not None and shape.count(None) <= 1:
            return self.constant([-1 if side is None else side for side in shape])
        return self.add("Shape", ref, out_type=INT32)

    def size(self, ref: str, axis: int) -> str:
        """Return the size of an axis as an int32 scalar: a constant where it is known."""
        shape = self._graph.shape(ref)
        if shape is not None and (known := shape[axis]) is not None:
            return self.constant(known)
        sizes = self.add("Shape", ref, out_type=INT32)
        zero = self.constant(0)
        return self.add("GatherV2", sizes, self.axis(ref, axis), zero, Tparams=INT32, Tindices=INT32, Taxis=INT32)

    def shape_with_last(self, ref: str, last: int) -> str:
        """Return the shape of ``ref`` with another last size; its rank must be known."""
        shape = self._graph.shape(ref)
        assert shape is not None
        if shape[:-1].count(None) <= 1:
            return self.constant([*(-1 if side is None else side for side in shape[:-1]), last])
        sides = [self.size(ref, axis) for axis in range(len(shape) - 1)]
        return self.add("Pack", *sides, self.constant(last), axis=0, N=len(shape), T=INT32)

    def axis(self, ref: str, axis: int) -> str:
        """Return an axis, counted from the front, as a constant; the rank must be known for a negative one."""
        shape = self._graph.shape(ref)
        assert axis >= 0 or shape is not None
        return self.constant(axis if axis >= 0 else axis + len(shape or ()))

    def range(self, size: str) -> str:
        """Return 0, 1 … size - 1 as int32."""
        known = self._graph.constant(size)
        if known is not None:
            return self.constant(np.arange(int(known)))
        return self.add("Range", self.constant(0), size, self.constant(1), Tidx=INT32)

    def expand(self, ref: str, axis: int, dtype: DType) -> str:
        """Add an axis of size 1."""
        return self.add("ExpandDims", ref, self.constant(axis), T=dtype, Tdim=INT32)
