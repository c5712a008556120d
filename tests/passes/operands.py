"""Constants for the graphs of the pass tests: seeded, without structure, so that a mix-up shows."""

from __future__ import annotations

import zlib

import numpy as np

from tfjs_magic.artifacts import Array


def random_array(name: str, *shape: int) -> Array:
    """Draw an array that depends on its name."""
    return np.random.default_rng(zlib.crc32(name.encode())).normal(size=shape).astype(np.float32)


def operands(**shapes: tuple[int, ...]) -> dict[str, Array]:
    """Draw one array per name."""
    return {name: random_array(name, *shape) for name, shape in shapes.items()}


#: A linear op of each kind on x, its weights w and its output channels: (inputs, op line, shape of w, channels).
LINEAR = {
    "conv": ("x: float32[2,5,4,3]", "Conv2D(x, w) padding=SAME", (2, 3, 3, 4), 4),
    "strided-dilated-conv": ("x: float32[2,7,6,3]", "Conv2D(x, w) dilations=[1, 2, 1, 1]", (2, 2, 3, 4), 4),
    "depthwise": ("x: float32[2,5,4,3]", "DepthwiseConv2dNative(x, w) strides=[1, 2, 2, 1]", (2, 2, 3, 1), 3),
    "depthwise-multiplier": ("x: float32[2,5,4,3]", "DepthwiseConv2dNative(x, w) padding=SAME", (3, 2, 3, 2), 6),
    "matmul": ("x: float32[4,5]", "MatMul(x, w)", (5, 6), 6),
    "matmul-transpose-a": ("x: float32[5,4]", "MatMul(x, w) transpose_a=True", (5, 6), 6),
    "matmul-transpose-b": ("x: float32[4,5]", "MatMul(x, w) transpose_b=True", (6, 5), 6),
    "transposed-conv": (
        "x: float32[2,3,4,2]",
        "Conv2DBackpropInput(sizes, w, x) padding=SAME strides=[1, 2, 2, 1]",
        (3, 2, 4, 2),
        4,
    ),
}


def linear_constants(kind: str) -> dict[str, Array]:
    """Return the constants that an entry of LINEAR names."""
    constants = {"w": random_array(kind, *LINEAR[kind][2])}
    if kind == "transposed-conv":
        constants["sizes"] = np.array([2, 6, 8, 4], np.int32)
    return constants
