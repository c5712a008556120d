"""Every pass, every op and every mapped layer has a case on webgl and webgpu, by default and with all on the GPU.

The slow tests try far more there: the sweep, and ``make test-gpu``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.compare import GPU_TOLERANCE, assert_matches, relative_error
from tests.conformance.node import GPU_BACKENDS, TfjsNode
from tests.layers.cases import FAMILIES
from tests.layers.packing import converted, packed
from tests.models import keras_outputs, randomised, samples_of
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.layers.registry import MAPPINGS, OPERATION_MAPPINGS
from tfjs_magic.model import TfjsModel
from tfjs_magic.ops.check import supported
from tfjs_magic.options import Backend
from tfjs_magic.passes import PIPELINE

raw, F, N, B, S = tf.raw_ops, tf.float32, tf.int32, tf.bool, tf.string


def _x(*shape: int | None, dtype: Any = F, name: str = "x") -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, name)


def _weights(*shape: int, seed: int = 0) -> Any:
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def _each(module: Any, *names: str) -> Callable[..., Any]:
    """Return a function that gives what each of the ops makes of its arguments."""

    def function(*tensors: Any) -> Any:
        return {name: getattr(module, name)(*tensors) for name in names}

    return function


UNARY = (
    *("abs", "acos", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "exp", "expm1", "floor"),
    *("is_finite", "is_inf", "is_nan", "log", "log1p", "log_sigmoid", "negative", "reciprocal", "round", "rsqrt"),
    *("sigmoid", "sign", "sin", "sinh", "softplus", "sqrt", "square", "tan", "tanh", "erfc", "rint"),
)
BINARY = (
    *(
        "Add",
        "Atan2",
        "Div",
        "DivNoNan",
        "Equal",
        "FloorDiv",
        "FloorMod",
        "Greater",
        "GreaterEqual",
        "Less",
        "LessEqual",
    ),
    *("Maximum", "Minimum", "Mod", "Mul", "NotEqual", "Pow", "RealDiv", "SquaredDifference", "Sub", "Xlogy"),
)
REDUCTIONS = ("reduce_euclidean_norm", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum")


def _binary(x: Any, y: Any) -> Any:
    x, y = tf.abs(x) + 0.1, tf.abs(y) + 0.1
    return {op: getattr(raw, op)(x=x, y=y) for op in BINARY}


def _activations(x: Any) -> Any:
    """X (2, 3, 6)."""
    names = ("elu", "leaky_relu", "log_softmax", "relu", "relu6", "selu", "softmax", "softsign", "gelu")
    masked = tf.where(x > 1, x, -0.7 * np.finfo(np.float32).max)
    clipped = raw.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=1.0)
    quantized = tf.quantization.fake_quant_with_min_max_args(x, -2.0, 2.0)
    gelu = (0.5 * x) * (1 + tf.nn.tanh(0.8 * (x + 0.04 * tf.pow(x, 3))))
    return {
        **_each(tf.nn, *names)(x),
        "gelu_tanh": gelu,
        "leaky": tf.maximum(x, 0.3 * x),
        "masked": tf.nn.softmax(masked),
        "clipped": clipped,
        "quantized": quantized,
    }


def _reductions(x: Any) -> Any:
    found = _each(tf, "argmax", "argmin")(x) | {name: getattr(tf.math, name)(x, 1) for name in REDUCTIONS}
    flags = x > 0
    found |= {"all": tf.reduce_all(flags, -1), "any": tf.reduce_any(flags, -1), "vector": tf.argmax(x[0, 0])}
    found |= {"cumsum": tf.cumsum(x, -2, reverse=True), "cumprod": tf.math.cumprod(x, 1, exclusive=True)}
    return found | {"cumsum5": tf.cumsum(x[None, None], 3)}


def _tokens(x: Any, size: int = 5) -> Any:
    return tf.cast(tf.abs(3 * x), N) % size


def _images(x: Any) -> Any:
    """X (2, 6, 7, 4)."""
    kernel, deep = _weights(3, 3, 4, 4), _weights(3, 3, 4, 2, seed=1)
    scaled = tf.nn.conv2d(x, _weights(3, 3, 4, 4, seed=2), 1, "SAME") + tf.range(4.0)
    normal, *_ = tf.compat.v1.nn.fused_batch_norm(
        tf.nn.avg_pool2d(x, 2, 1, "SAME"), [1.0, 2, 3, 4], [0.0, 1, 2, 3], [0.5] * 4, [1.0, 2, 1, 2], is_training=False
    )
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return {
        "conv": tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME") + 0.1 * tf.range(4.0)),
        "scaled": tf.nn.relu(scaled * [1.0, 2, 3, 4] + 0.5),
        "far": tf.nn.conv2d(x, kernel[:1, :1], 2, "SAME"),
        "own_padding": tf.nn.conv2d(tf.pad(x, [[0, 0], [0, 1], [2, 0], [0, 0]]), kernel, 1, "VALID"),
        "mean": tf.reduce_mean(x, [1, 2]),
        "mean-of-channels": tf.reduce_mean(x, -1),
        "normalised": tf.nn.conv2d((x - mean) * tf.math.rsqrt(variance + 1) + 0.5, kernel, 1, "VALID"),
        "joined": tf.nn.relu(tf.concat([x, -x], 3) * tf.range(1.0, 9) + tf.range(8.0)),
        "grouped": tf.nn.conv2d(x, _weights(3, 3, 2, 6), 1, "VALID"),
        "dilated": tf.nn.conv2d(x, kernel, 1, "SAME", dilations=2),
        "gaps": raw.Conv2D(input=x, filter=kernel, strides=(1, 2, 2, 1), padding="SAME", dilations=(1, 2, 2, 1)),
        "depthwise": tf.nn.relu6(tf.nn.depthwise_conv2d(x, deep, (1, 1, 1, 1), "SAME") + 1),
        "apart": tf.nn.depthwise_conv2d(x, deep, (1, 1, 1, 1), "SAME", dilations=(2, 3)),
        "deep": tf.nn.depthwise_conv2d(x, deep, (1, 2, 2, 1), "VALID") * tf.nn.sigmoid(x[:, :2, :3, :1]),
        "transposed": tf.nn.conv2d_transpose(x, kernel, (2, 12, 14, 4), 2),
        "max": tf.nn.max_pool2d(x, 3, 2, "SAME"),
        "padded": tf.nn.max_pool2d(x, 2, 2, [[0, 0], [1, 0], [0, 1], [0, 0]]),
        "morphology": tf.nn.dilation2d(x, _weights(3, 3, 4), (1, 1, 1, 1), "SAME", "NHWC", (1, 1, 1, 1)),
        "normal": normal,
        "local": tf.nn.local_response_normalization(x),
        "first": tf.transpose(tf.nn.conv2d(tf.transpose(x, [0, 2, 1, 3]), kernel, 1, "SAME"), [0, 2, 1, 3]),
        "patches": tf.image.extract_patches(x, (1, 2, 2, 1), (1, 2, 2, 1), (1, 1, 1, 1), "VALID"),
        "space": tf.nn.space_to_depth(x[:, :, :6], 2),
        "depth": tf.nn.depth_to_space(x, 2),
        "batches": tf.batch_to_space(tf.space_to_batch(x, [2, 2], [[0, 0], [1, 0]]) * 2, [2, 2], [[1, 0], [0, 1]]),
        "resized": tf.image.resize(x, (9, 5)),
        "nearest": tf.image.resize(x, (9, 5), "nearest"),
        "cubic": tf.image.resize(x, (9, 5), "bicubic"),
        "mask": tf.image.resize(_tokens(x), (3, 4), "nearest"),
        "contrast": tf.image.adjust_contrast(x, 1.5),
        "warped": raw.ImageProjectiveTransformV3(
            images=x,
            transforms=[[0.8, -0.6, 1.3, 0.6, 0.8, -2.1, 0, 0]],
            output_shape=[5, 9],
            fill_value=0.7,
            interpolation="BILINEAR",
        ),
        "colors": (tf.image.rgb_to_hsv(x[..., :3]), tf.image.adjust_hue(x[..., 1:], 0.3)),
    }


def _places(x: Any) -> Any:
    """X (4, 6)."""
    return {
        "largest": keras.ops.argmax(x, axis=1),
        "first": (tf.argmax(tf.concat([x] * 9, 1) > 0, 1), tf.argmin(tf.cast(x > 0, N), 0)),
        "updated": keras.ops.slice_update(x, (1, 2), 2 * x[:2, :2]),
        "segments": tf.math.unsorted_segment_sum(x, [0, 1, 0, 2], 3),
        "loss": tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(-x), x),
        "in_top": tf.math.in_top_k([1, 0, 5, 2], x, 2),
        "sparse": tf.sparse.sparse_dense_matmul(tf.SparseTensor([[0, 1], [2, 3], [2, 0]], x[0, :3], (3, 4)), x),
        "inverse": tf.linalg.inv(tf.eye(4) * 4 + x[:, :4]),
        "parts": tf.dynamic_partition(x, [1, 0, 1, 1], 2),
        "pooled": tf.nn.max_pool_with_argmax(x[None, ..., None], 2, 2, "VALID"),
        "nothing": tf.reduce_sum(x[:0], 0) + x[0],
    }


def _channels_first(x: Any) -> Any:
    """X (2, 4, 6, 7)."""
    pool = raw.MaxPool(input=x, ksize=(1, 1, 2, 2), strides=(1, 1, 2, 2), padding="VALID", data_format="NCHW")
    return tf.nn.bias_add(tf.nn.relu(pool), [0.5, 1, 2, 3], data_format="NCHW")


def _volumes(x: Any) -> Any:
    """X (1, 4, 5, 6, 3)."""
    return {
        "conv": tf.nn.conv3d(x, _weights(2, 2, 2, 3, 4), (1,) * 5, "SAME") + tf.range(4.0),
        "far": tf.nn.conv3d(x, _weights(1, 1, 1, 3, 4), (1, 2, 2, 2, 1), "SAME"),
        "transposed": tf.nn.conv3d_transpose(x, _weights(2, 2, 2, 4, 3), (1, 8, 10, 12, 4), 2),
        "max": tf.nn.max_pool3d(x, 2, 2, "SAME"),
        "average": tf.nn.avg_pool3d(x, 2, 1, "VALID"),
        "choice": tf.where(x > 0, x, [1.0, 2, 3]),
        "moves": (tf.pad(x, [[0, 0], [1, 0], [0, 1], [1, 1], [0, 0]]), tf.reverse(x, [1]), x[:, ::2, :, ::-1]),
        "tile": tf.tile(x, [1, 2, 1, 2, 1]),
    }


def _moves(x: Any) -> Any:
    """X (2, 4, 6)."""
    indices = _tokens(x[:, :, 0], 4)
    return {
        "split": tf.split(x, 3, 2),
        "uneven": tf.split(x, [1, 2, 3], 2),
        "stack": tf.stack([x, 2 * x], 1),
        "unstack": tf.unstack(x, axis=1),
        "concat": tf.concat([x, -x], 1),
        "gather": tf.gather(x, [2, 0], axis=1),
        "gather_nd": tf.gather_nd(x, [[0, 1], [1, 3]]),
        "batched": tf.gather(x, indices, batch_dims=1),
        "slice": tf.slice(x, [0, 1, 2], [2, 2, 3]),
        "strided": (x[:, 1, ::2], x[..., None]),
        "pads": (tf.pad(x, [[0, 0], [1, 2], [0, 0]], constant_values=7.0), tf.pad(x, [[0, 0], [1, 2], [0, 1]])),
        "mirror": tf.pad(x, [[0, 0], [1, 2], [0, 1]], "REFLECT"),
        "roll": tf.roll(x, 2, 1),
        "sequence": tf.reverse_sequence(x, [1, 3], 1, 0),
        "tile": tf.tile(x, [1, 2, 1]),
        "repeat": (tf.repeat(x, 2, 0), tf.repeat(x, 3, 1)),
        "broadcast": tf.broadcast_to(x[:, :1], [2, 4, 6]),
        "transpose": tf.transpose(tf.transpose(x, [1, 2, 0]), [1, 0, 2]) + 1,
        "one_hot": tf.one_hot(indices, 4),
        "sparse": raw.SparseToDense(
            sparse_indices=[1, 3], output_shape=[5], sparse_values=x[0, 0, :2], default_value=0.5
        ),
        "diagonal": (tf.linalg.diag_part(x[:, :, :4]), tf.linalg.diag(x)),
        "diagonals": (tf.linalg.diag_part(x, k=(-1, 2)), tf.linalg.diag(x[:, :3], k=(-1, 1))),
        "inner_sequence": tf.reverse_sequence(x, [1, 3], 2, 0),
        "band": tf.linalg.band_part(x, 1, 0),
        "product": tf.einsum("bij,bkj->bik", x, x),
        "repeated": x @ _weights(1, 6, 3),
        "inner": x[:, None] @ _weights(2, 6, 3),
        "attention": tf.nn.softmax(tf.where(x[..., :4] > 0, tf.matmul(x, x, transpose_b=True), -1e30)),
        "normal": tf.nn.batch_normalization(x, *tf.nn.moments(x, [-1], keepdims=True), 0.5, tf.range(6.0), 1e-3),
        "hard_swish": (x * (tf.nn.relu6(x + 3) / 6)) @ _weights(6, 5),
        "rows": tf.nn.relu(x @ _weights(6, 5) * [1.0, 2, 3, 4, 5] + 0.5),
        "dense": tf.nn.relu(tf.reshape(x, [8, 6]) @ _weights(6, 5) + 0.5),
        "top": tf.math.top_k(x, 2),
        "bins": (tf.searchsorted([-1.0, 0, 1], x[0, 0]), tf.searchsorted([-1.0, 0, 1], x[0, 0], "right")),
        "bucket": tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]),
        "scatter": tf.scatter_nd([[1], [0]], x, [3, 4, 6]),
        "update": tf.tensor_scatter_nd_update(x, [[1]], x[:1]),
        "select": raw.Select(condition=[True, False], x=x, y=2 * x),
        "space": tf.linspace(0.0, x[0, 0, 0], 4),
    }


def _integers(n: Any) -> Any:
    """N int32 (3, 4), 0 to 3."""
    flags = n > 1
    return {
        "arithmetic": (n // 2, n % 3, tf.truncatediv(n - 2, 2), tf.bitwise.left_shift(n, 2), tf.bitwise.invert(n), -n),
        "casts": (tf.cast(n, F) / 2, tf.cast(tf.cast(n, tf.int8), N), tf.cast(n, B)),
        "logic": (flags & (n < 3), flags | (n == 0), ~flags, tf.math.logical_xor(flags, n > 2)),
        "like": (tf.ones_like(n), tf.zeros_like(n)),
        "choice": tf.where(flags, n, 5),
        "reverse": tf.reverse(flags, [0]),
        "reduced": (tf.reduce_sum(n, 0), tf.reduce_max(n, 1), tf.reduce_prod(n, 0)),
        "clipped": tf.clip_by_value(n, 1, 2),
        "product": tf.matmul(n % 2, n, transpose_b=True),
        "order": tf.math.invert_permutation(tf.math.top_k(n[0], 4).indices),
        "counts": tf.raw_ops.DenseBincount(input=n, size=4, weights=tf.constant([], F), binary_output=False),
        "again": (n, n, tf.identity(n)),
        "constant": tf.constant([1.0, 2.0]) * tf.cast(n[0, 0], F),
    }


def _permuted_integers(n: Any) -> Any:
    """N int32 (3, 4), 0 to 3."""
    return {
        "depth": tf.nn.depth_to_space(tf.reshape(n, [1, 1, 3, 4]), 2),
        "one_hot": tf.one_hot(n, 4, axis=1),
        "words": tf.gather(["ant", "bee", "cat", "dog"], n),
    }


def _sizes(x: Any) -> Any:
    """X of any size."""
    shape = tf.shape(x)
    flat = tf.reshape(x, [shape[0], -1])
    return {
        "flat": flat,
        "known": tf.ones(shape[3:]) * 3,
        "size": tf.size(x),
        "rank": tf.rank(x),
        "shapes": tf.shape_n([x, flat]),
        "zeros": tf.zeros(shape[:2]),
        "range": tf.range(shape[0]),
        "broadcast": tf.broadcast_to(x[:1], tf.concat([shape[:1] * 2, shape[1:]], 0)),
        "resized": tf.image.resize(x, shape[1:3] * 2),
        "cubic": tf.image.resize(x, shape[1:3] * 2, "bicubic"),
        "area": tf.image.resize(x, (3, 3), "area"),
        "patches": tf.image.extract_patches(x, (1, 2, 2, 1), (1, 1, 2, 1), (1, 1, 1, 1), "SAME"),
        "diagonal": tf.linalg.diag_part(tf.concat([x, x], 3)[0], k=1),
        "product": tf.tensordot(x, _weights(2, 3), [[3], [0]]),
        "bias": tf.nn.bias_add(x, [1.0, 2.0]) + tf.nn.bias_add(-x, [2.0, 1.0]),
    }


def _zeros(x: Any) -> Any:
    """X (…, 3)."""
    zeros = tf.zeros([tf.shape(x)[0], 2])
    return tf.where(x[:, 1:] > 0, x[:, :2], zeros), tf.where(x[:, :2] > 0, 1.0, tf.zeros_like(x @ _weights(3, 2)))


def _spectra(x: Any) -> Any:
    """X (2, 4, 6)."""
    spectrum = tf.signal.rfft(x)
    wide = tf.complex(x, 2 * x)
    return {
        "parts": (tf.math.real(spectrum), tf.math.imag(spectrum), tf.abs(spectrum)),
        "back": tf.signal.irfft(spectrum * 2, [6]),
        "wide": tf.signal.ifft(tf.signal.fft(wide) * 3),
        "angle": tf.math.real(wide * wide),
        "sound": raw.Mfcc(
            spectrogram=raw.AudioSpectrogram(input=tf.reshape(x, [24, 2]), window_size=12, stride=4),
            sample_rate=16000,
        ),
    }


def _any_spectra(x: Any) -> Any:
    """X (…, …)."""
    spectrum, wide = tf.signal.rfft(x), tf.complex(x, 2 * x)
    return {
        "parts": (tf.math.real(spectrum), tf.math.imag(spectrum), tf.abs(spectrum)),
        "wide": tf.abs(tf.signal.ifft(tf.signal.fft(wide))),
    }


def _loops(x: Any) -> Any:
    """X (…, 3)."""
    table = tf.TensorArray(F, size=tf.shape(x)[0], element_shape=(3,))
    grown = tf.TensorArray(F, size=0, dynamic_size=True, element_shape=(3,))
    for i in tf.range(tf.shape(x)[0]):
        table = table.write(i, tf.tanh(x[i]))
        grown = grown.write(grown.size(), x[i] * 2)
    scan = tf.scan(lambda a, row: a * 0.5 + row, x)
    return table.stack(), grown.stack(), scan, tf.map_fn(lambda row: tf.reduce_sum(row) * row, x)


class _Steps(tf.Module):
    """A recurrent net, step by step; x (4, 1, 3). TensorFlow itself would move a bias that is no variable."""

    def __init__(self) -> None:
        self.weights = [tf.Variable(_weights(*shape)) for shape in ((3, 6), (2, 6), (6,))]

    @tf.function
    def __call__(self, x: Any) -> Any:
        (w, u, b), state = self.weights, tf.zeros([1, 2])
        for row in tf.unstack(x):
            gates = tf.nn.bias_add(tf.nn.bias_add(row @ w, tf.squeeze(state @ u)), b)
            share = tf.sigmoid(gates[:, :2])
            state = share * state + (1 - share) * tf.tanh(gates[:, 2:4] * gates[:, 4:])
        return state


def _gates(x: Any) -> Any:
    """Return what a recurrent net whose gates get parts of x (4, 1, 3) makes of it."""
    w, u, b, state = _weights(3, 6), _weights(2, 6, seed=1), _weights(6, seed=2), x[0, :, :2]
    for row in tf.unstack(x):
        one, two, three = tf.split(row @ w, 3, 1)
        share, reset, new = tf.split(state @ u + b, 3, 1)
        share = tf.sigmoid(one + share)
        state = share * state + (1 - share) * tf.tanh(three + tf.sigmoid(two + reset) * new)
    return state


def _directions(x: Any) -> Any:
    """Return what two recurrent nets make of x (5, 1, 3)."""
    made = []
    for seed in (0, 1):
        w, u, state, states = _weights(3, 4, seed=seed), _weights(2, 4, seed=seed + 2), x[0, :, :2], []
        for row in tf.unstack(tf.reverse(x, [0]) if seed else x):
            one, two = tf.split(row @ w + state @ u, 2, 1)
            state = state * tf.sigmoid(one) + tf.tanh(two)
            states.append(state)
        made.append(tf.stack(states))
    return tf.concat(made, -1)


def _control(x: Any) -> Any:
    """X (4, 3)."""
    table = tf.TensorArray(F, size=4, element_shape=(3,))
    grown = tf.TensorArray(F, size=0, dynamic_size=True, element_shape=(3,))
    for i in tf.range(4):
        table = table.write(i, tf.tanh(x[i]))
        grown = grown.write(grown.size(), x[i] * 2)
    zeros = tf.TensorArray(F, size=4, element_shape=(3,)).write(2, x[0])
    return {
        "zeros": zeros.stack(),
        "if": tf.cond(tf.reduce_sum(x) > 0, lambda: x * 2, lambda: x - 1),
        "case": tf.switch_case(_tokens(x[0, 0], 3), [lambda: x, lambda: x + 1, lambda: x * 3]),
        "while": tf.while_loop(lambda i, _: i < 3, lambda i, y: (i + 1, y * 0.5 + 1), (0, x))[1],
        "list": table.stack(),
        "grown": grown.stack(),
        "map": tf.map_fn(lambda row: tf.reduce_sum(row) * row, x),
        "pieces": tf.TensorArray(F, size=4).unstack(x).gather([2, 0]),
    }


def _chosen(x: Any) -> Any:
    """X (5, 4): boxes and scores."""
    boxes = tf.concat([x[:, :2], x[:, :2] + 1], 1)
    good = tf.boolean_mask(x, x[:, 0] > 0)
    return {
        "where": tf.where(x > 0),
        "mask": good,
        "masked again": tf.boolean_mask(good, good[:, 1] > -9),
        "boxes": tf.image.non_max_suppression(boxes, x[:, 2], 3),
        "scores": tf.image.non_max_suppression_with_scores(boxes, x[:, 2], 3, soft_nms_sigma=0.5),
        "classes": tuple(tf.image.combined_non_max_suppression(boxes[None, :, None], x[None, :, 2:], 3, 4))[:3],
    }


def _padded_boxes(x: Any) -> Any:
    """X (5, 4)."""
    boxes = tf.concat([x[:, :2], x[:, :2] + 1], 1)
    options = {"iou_threshold": 0.5, "score_threshold": -9.0, "pad_to_max_output_size": True}
    return raw.NonMaxSuppressionV4(boxes=boxes, scores=x[:, 2], max_output_size=7, **options)


class _Tables(tf.Module):
    """Lookups of words and numbers; n int32 (3, 4)."""

    def __init__(self) -> None:
        words = tf.lookup.KeyValueTensorInitializer(["ant", "bee", "cat"], [1.0, 2.0, 3.0])
        self.words = tf.lookup.StaticHashTable(words, -1.0)

    @tf.function
    def __call__(self, n: Any) -> Any:
        return self.words.lookup(tf.gather(["ant", "cat", "dog", "eel"], n))


def _random(x: Any) -> Any:
    """What is drawn shows in nothing but its range; x (3,)."""
    drawn = (tf.random.uniform([3]), tf.random.truncated_normal([3]) / 9, tf.random.normal([3]) / 99)
    draw = tf.random.categorical
    whole = tf.random.uniform([3], 2, 9, N), draw(tf.zeros([1, 4]), 3)[0], draw(tf.zeros([2, 4]), 3)[1]
    return [x * tf.cast(tf.abs(y) < 1, F) for y in drawn] + [x * tf.cast(y < 9, F) for y in whole]


def _made_for_wasm(x: Any) -> Any:
    heads = tf.reshape(tf.reshape(x, (40, 96)) @ _weights(96, 96), (1, 40, 2, 48))
    queries = tf.reshape(tf.reshape(x, (40, 96)) @ _weights(96, 96, seed=1), (1, 40, 2, 48))
    scores = tf.einsum("bqhd,bkhd->bhqk", queries, heads)
    wide = tf.concat([x, tf.tanh(x)], -1)
    many = tf.linspace(0.5, 2.0, 9)[:, None, None, None] * x
    return {
        **_each(tf.nn, "gelu", "leaky_relu", "tanh")(many),
        "transposed": tf.nn.relu(tf.nn.conv2d_transpose(x, _weights(3, 3, 3, 4), (1, 32, 120, 3), 2) + 0.5),
        "heads": tf.einsum("bhqk,bkhd->bqhd", tf.nn.softmax(scores * 0.1), heads),
        "rows": tf.gather(_weights(4, 32), tf.argmax(x[:, 0], -1, tf.int32)),
        "depthwise": tf.nn.relu6(tf.nn.depthwise_conv2d(wide, _weights(7, 7, 8, 1), (1, 1, 1, 1), "SAME") + 0.5),
    }


CASES: dict[str, tuple[Callable[..., Any], tuple[tf.TensorSpec, ...]]] = {
    "unary": (lambda x: _each(tf.math, *UNARY)(tf.sigmoid(x)) | {"acosh": tf.acosh(1 + x * x)}, (_x(2, 3, 6),)),
    "activations": (_activations, (_x(2, 3, 6),)),
    "binary": (_binary, (_x(2, 6), _x(2, 6, name="y"))),
    "reductions": (_reductions, (_x(2, 3, 6),)),
    "images": (_images, (_x(2, 6, 7, 4),)),
    "crops": (
        lambda x: tf.image.crop_and_resize(x, [[0.1, 0.2, 0.8, 0.9]], [0], (3, 4)),
        (_x(2, 6, 7, 4),),
    ),
    "places": (_places, (_x(4, 6),)),
    "channels-first": (_channels_first, (_x(2, 4, 6, 7),)),
    "volumes": (_volumes, (_x(1, 4, 5, 6, 3),)),
    "moves": (_moves, (_x(2, 4, 6),)),
    "integers": (_integers, (_x(3, 4, dtype=N),)),
    "sizes": (_sizes, (_x(None, None, None, 2),)),
    "zeros": (_zeros, (_x(None, 3),)),
    "spectra": (_spectra, (_x(2, 4, 6),)),
    "any-spectra": (_any_spectra, (_x(None, None),)),
    "permuted-integers": (_permuted_integers, (_x(3, 4, dtype=N, name="n"),)),
    "loops": (_loops, (_x(None, 3),)),
    "steps": (_Steps(), (_x(4, 1, 3),)),
    "gates": (_gates, (_x(4, 1, 3),)),
    "directions": (_directions, (_x(5, 1, 3),)),
    "control": (_control, (_x(4, 3),)),
    "chosen": (_chosen, (_x(5, 4),)),
    "padded-boxes": (_padded_boxes, (_x(5, 4),)),
    "random": (_random, (_x(3),)),
    "tables": (_Tables(), (_x(3, 4, dtype=N, name="n"),)),
    "made-for-wasm": (_made_for_wasm, (_x(1, 16, 60, 4),)),
    "sum-of-many": (lambda x: tf.add_n([x * i for i in range(9)]), (_x(2, 3),)),
}


#: Cases for the passes that only wasm gains by: what they make must be right everywhere.
FOR_WASM = {"made-for-wasm"}


@functools.cache
def model_of(name: str) -> tuple[TfjsModel, list[dict[str, Array]], list[dict[str, Array]]]:
    """Convert a case; return also two feeds, and what Python makes of them."""
    function, specs = CASES[name]
    traced = function.__call__ if isinstance(function, tf.Module) else tf.function(function)
    model = convert(traced.get_concrete_function(*specs), target="wasm" if name in FOR_WASM else "auto")
    rng = np.random.default_rng(0)
    feeds = [
        {
            spec.name: rng.integers(0, 4, shape).astype(np.int32)
            if spec.dtype == N
            else rng.normal(size=shape).astype(np.float32)
            for spec in specs
            for shape in [[2 + seed if side is None else side for side in spec.shape]]
        }
        for seed in (0, 1)
    ]
    assert model.reference is not None
    return model, feeds, [{key: np.asarray(value) for key, value in model.reference(feed).items()} for feed in feeds]


#: What a case needs that a backend lacks.
REPORTED = {("permuted-integers", "webgpu"): ("Transpose",), ("crops", "webgl"): ("CropAndResize",)}
V1 = "only graphs of TensorFlow 1 and of other converters have it"
GONE = "a pass, or TensorFlow, puts other ops in its place"
NO_DATA = "it computes nothing"
REFUSED = "it is refused, or no kernel of webgpu does it"
#: Ops without a case.
UNTRIED = {
    V1: "BatchMatMul BroadcastArgs Concat Conv1D DepthwiseConv2d FusedBatchNorm FusedBatchNormV2 Gather HashTable "
    "InitializeTable InitializeTableV2 ListDiff LookupTableFind LookupTableImport LookupTableImportV2 LookupTableSize "
    "LookupTableSizeV2 NonMaxSuppressionV2 Ones Prelu Reverse Snapshot SparseSegmentMean SparseSegmentSum "
    "TensorArrayCloseV3 TensorArrayConcatV3 TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3 "
    "TensorArraySizeV3 TensorArraySplitV3 TensorArrayV3 TensorArrayWriteV3 Zeros",
    GONE: "AvgPool3D Bincount Einsum EmptyTensorList EnsureShape EuclideanNorm FakeQuantWithMinMaxVars FloorDiv IRFFT "
    "IdentityN If LinSpace MatrixBandPart MaxPool3D Mod NoOp PlaceholderWithDefault Print RandomUniformInt Rank "
    "Select ShapeN StatelessIf StatelessWhile StopGradient TensorListConcat TensorListGather TensorListPushBack "
    "TensorListResize TensorListScatter TensorListScatterV2 While",
    NO_DATA: "Const Placeholder",
    REFUSED: "BitwiseAnd ImageProjectiveTransformV3 MaxPoolWithArgmax SparseFillEmptyRows SparseReshape "
    "StaticRegexReplace StringNGrams StringSplit StringToHashBucketFast TensorListConcatV2 TensorListPopBack "
    "TensorListSplit Unique UniqueV2",
}
#: They take branches away, change what a model needs on other backends, or its names only.
UNTRIED_PASSES = {"fold_conditions", "lower_integer_kernels", "lower_list_diff", "rename_nodes"}


@pytest.mark.parametrize("backend", GPU_BACKENDS)
@pytest.mark.parametrize("name", CASES)
def test_a_graph_gives_tensorflows_numbers(tfjs_node: TfjsNode, name: str, backend: Backend) -> None:
    model, feeds, expected = model_of(name)
    lacking = model.report.backends[backend]
    assert lacking == REPORTED.get((name, backend), ())
    if not lacking:
        check(tfjs_node, model, feeds, expected, backend)


@pytest.mark.parametrize("backend", GPU_BACKENDS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_layers_give_keras_numbers(tfjs_node: TfjsNode, family: str, backend: Backend) -> None:
    for model in merged([one for one, _ in chosen(family)]):
        result = converted(model)
        feeds = [samples_of(result.inputs, seed) for seed in (0, 1)]
        check(tfjs_node, packed(result), feeds, [keras_outputs(model, feed) for feed in feeds], backend)


def test_every_pass_and_op_has_a_case() -> None:
    reports = [model_of(name)[0].report for name in CASES]
    tried = {op for report in reports for op in report.ops}
    untried = {op for ops in UNTRIED.values() for op in ops.split()}
    assert tried | untried >= set(supported()["ops"])
    assert not tried & untried
    applied = {report.name for each in reports for report in each.passes if report.applied}
    assert applied == {each.name for group in PIPELINE.values() for each in group} - UNTRIED_PASSES


@pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")
def test_every_mapping_has_a_case() -> None:
    tried = {name for family in FAMILIES for _, names in chosen(family) for name in names}
    assert tried == {*MAPPINGS, *OPERATION_MAPPINGS}


def check(
    node: TfjsNode,
    model: TfjsModel,
    feeds: list[dict[str, Array]],
    expected: list[dict[str, Array]],
    backend: Backend,
) -> None:
    """Run both feeds and the first one again, by default and with all on the GPU."""
    apart = [relative_error(value, expected[1][name]) for name, value in expected[0].items()]
    assert max(apart) > 10 * GPU_TOLERANCE, "void: the outputs of two samples are the same"
    places = [0, 1, 0, 0, 1, 0]
    got = node.run_each(model, [feeds[i] for i in places], backend, forward=[True] * 3 + [False] * 3)
    for i, outputs in zip(places, got, strict=True):
        assert_matches(outputs, expected[i])


@functools.cache
def chosen(family: str) -> list[tuple[Any, set[str]]]:
    """Return the first model of each mapping that no GPU backend lacks, with what is mapped in it."""
    found: list[tuple[Any, set[str]]] = []
    seen: set[str] = set()
    for build in FAMILIES[family].values():
        model = build()
        names = mapped_in(model)
        if not names <= seen and not any(converted(model).backends.get(backend) for backend in GPU_BACKENDS):
            found.append((randomised(model), names))
            seen |= names
    return found


def mapped_in(model: Any) -> set[str]:
    """Return the names of the layers, cells and operations of a model that have a mapping."""
    cells = [cell for one in model.operations if (cell := getattr(one, "cell", None)) is not None]
    found = [*model.operations, *cells, *(inner for cell in cells for inner in getattr(cell, "cells", []))]
    return {type(one).__name__ for one in found} & {*MAPPINGS, *OPERATION_MAPPINGS}


def merged(models: list[Any]) -> list[Any]:
    """Return models that hold those with one input of the same form, which takes a tenth of the time."""
    alike: dict[Any, list[Any]] = {}
    for i, model in enumerate(models):
        form = [(tensor.shape, tensor.dtype) for tensor in model.inputs]
        alike.setdefault(str(form) if len(form) == 1 else i, []).append(model)
    return [group[0] if len(group) == 1 else _joined(group) for group in alike.values()]


def _joined(models: list[Any]) -> Any:
    (tensor,) = models[0].inputs
    inputs = keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name="x")
    return keras.Model(inputs, {f"model{i}": model(inputs) for i, model in enumerate(models)})
