"""Models of one layer each, by the module that maps it: every option that a layers model must hold exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tests.models import layers
from tfjs_magic.layers.registry import MAPPINGS

Cases = dict[str, Callable[[], Any]]
LINE, SEQUENCE, IMAGE, TOKENS = (6,), (7, 4), (8, 7, 3), (7,)


def on(shape: tuple[int | None, ...], *stack: Any, dtype: str = "float32") -> Any:
    """Build a functional model that calls the layers one after the other."""
    x = inputs = keras.Input(shape, dtype=dtype, name="x")
    for layer in stack:
        x = layer(x)
    return keras.Model(inputs, x)


def on_two(shape: tuple[int | None, ...], merge: Any, *, second: tuple[int | None, ...] | None = None) -> Any:
    """Build a functional model that merges two inputs."""
    left, right = keras.Input(shape, name="left"), keras.Input(second or shape, name="right")
    return keras.Model([left, right], merge([left, right]))


def with_initial_state(layer: Any) -> Any:
    states = [keras.Input((3,), name=f"state{i}") for i in range(2 if isinstance(layer, layers.LSTM) else 1)]
    sequence = keras.Input(SEQUENCE, name="sequence")
    return keras.Model([sequence, *states], layer(sequence, initial_state=states))


def masked(*stack: Any) -> Any:
    return on(TOKENS, layers.Embedding(5, 4, mask_zero=True), *stack, dtype="int32")


def activation_case(name: str) -> Callable[[], Any]:
    return lambda: on(LINE, layers.Dense(8), layers.Activation(name))


ops = keras.ops
CONSTANT = np.linspace(-1, 2, 4, dtype=np.float32)
#: Name → the shape of one sample, and what is computed from it.
UNARY: dict[str, tuple[tuple[int | None, ...], Callable[[Any], Any]]] = {
    "add": (LINE, lambda x: x + 1.5),
    "add-array": (SEQUENCE, lambda x: x + CONSTANT),
    "add-matrix": (SEQUENCE, lambda x: x + np.arange(28, dtype=np.float32).reshape(1, 7, 4)),
    "subtract": (LINE, lambda x: x - 1.5),
    "subtract-from": (SEQUENCE, lambda x: ops.subtract(CONSTANT, x)),
    "multiply": (SEQUENCE, lambda x: x * CONSTANT),
    "divide": (LINE, lambda x: x / 3),
    "divide-op": (LINE, lambda x: ops.divide(x, 7.0)),
    "negative": (LINE, lambda x: -x),
    "absolute": (LINE, abs),
    "power": (LINE, lambda x: x**2),
    "square": (LINE, ops.square),
    "square-itself": (LINE, lambda x: x * x),
    "maximum": (LINE, lambda x: ops.maximum(x, 0.25)),
    "maximum-zero": (LINE, lambda x: ops.maximum(0, x)),
    "minimum": (LINE, lambda x: ops.minimum(0.25, x)),
    "clip": (LINE, lambda x: ops.clip(x, -0.5, 0.75)),
    "clip-zero": (LINE, lambda x: ops.clip(x, 0, 1)),
    "relu": (LINE, ops.relu),
    "relu6": (LINE, lambda x: ops.relu6(5 * x)),
    "ReLU": (LINE, lambda x: keras.activations.relu(x, negative_slope=0.1, max_value=0.6)),
    "leaky_relu": (LINE, lambda x: ops.leaky_relu(x, 0.3)),
    "gelu": (LINE, lambda x: ops.gelu(x, approximate=False)),
    "gelu-approximate": (LINE, lambda x: ops.gelu(2 * x)),
    **{
        name: (LINE, getattr(ops, name))
        for name in (
            *("celu", "hard_sigmoid", "hard_silu", "hard_tanh", "log_sigmoid", "selu", "sigmoid", "silu"),
            *("softplus", "softsign", "sparse_plus", "sparse_sigmoid", "tanh", "tanh_shrink", "log_softmax", "softmax"),
        )
    },
    "celu-alpha": (LINE, lambda x: ops.celu(x, alpha=0.5)),
    "elu": (LINE, ops.elu),
    "elu-alpha": (LINE, lambda x: ops.elu(x, alpha=0.5)),
    "hard_shrink": (LINE, lambda x: ops.hard_shrink(x, threshold=0.3)),
    "soft_shrink": (LINE, lambda x: ops.soft_shrink(x, threshold=0.3)),
    "square-used-again": (LINE, lambda x: (2 * x) * (2 * x) + ops.square(y := x * 3) + y),
    "softmax-axis": (SEQUENCE, lambda x: ops.softmax(x, axis=1)),
    "log_softmax-axis": (SEQUENCE, lambda x: ops.log_softmax(x, axis=1)),
    "glu": (SEQUENCE, ops.glu),
    "threshold": (LINE, lambda x: ops.threshold(x, 0.3, 0)),
    "reshape": (SEQUENCE, lambda x: ops.reshape(x, (-1, 2, 14))),
    "expand_dims": (SEQUENCE, lambda x: ops.expand_dims(x, -1)),
    "squeeze": ((7, 1, 4), lambda x: ops.squeeze(x, 2)),
    "transpose": (IMAGE, lambda x: ops.transpose(x, (0, 3, 1, 2))),
    "swapaxes": (IMAGE, lambda x: ops.swapaxes(x, 1, -1)),
    "moveaxis": (IMAGE, lambda x: ops.moveaxis(x, 1, -1)),
    "get_item-step": (SEQUENCE, lambda x: x[:, 2]),
    "get_item-last": (SEQUENCE, lambda x: x[:, -1, :]),
    "get_item-slice": (IMAGE, lambda x: x[:, 1:-1, 2:, :2]),
    "get_item-ellipsis": (IMAGE, lambda x: x[..., 1]),
    "get_item-new": (SEQUENCE, lambda x: x[:, None, :, 1]),
    "get_item-any-length": ((None, 4), lambda x: x[:, :, 1:3]),
    "pad": (SEQUENCE, lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 3]])),
    "mean": (SEQUENCE, lambda x: ops.mean(x, axis=1)),
    "mean-kept": (IMAGE, lambda x: ops.mean(x, axis=(1, 2), keepdims=True)),
    "mean-last": (IMAGE, lambda x: ops.mean(x, axis=-1)),
    "max": (IMAGE, lambda x: ops.max(x, axis=(1, 3))),
    "amax": (SEQUENCE, lambda x: ops.amax(x, axis=1)),
    "min": (IMAGE, lambda x: ops.min(x, axis=(1, 3))),
    "amin": (SEQUENCE, lambda x: ops.amin(x, axis=1)),
    "sum": (IMAGE, lambda x: ops.sum(x, axis=2)),
    "matmul": (SEQUENCE, lambda x: x @ np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)),
    "copy": (LINE, ops.copy),
}
#: Likewise of two tensors; the first has the shape of SEQUENCE.
BINARY: dict[str, tuple[dict[str, Any], Callable[[Any, Any], Any]]] = {
    "add-two": ({}, lambda x, y: x + y),
    "add-broadcast": ({"second": (1, 4)}, lambda x, y: x + y),
    "subtract-two": ({}, lambda x, y: x - y),
    "multiply-two": ({"second": (7, 1)}, lambda x, y: x * y),
    "maximum-two": ({}, ops.maximum),
    "minimum-two": ({}, ops.minimum),
    "concatenate": ({"second": (3, 4)}, lambda x, y: ops.concatenate([x, y], axis=1)),
    "stack": ({}, lambda x, y: ops.stack([x, y, x], axis=2)),
    "matmul-two": ({"second": (4, 5)}, ops.matmul),
}
L1L2 = keras.regularizers.L1L2(0.1, 0.2)
ACTIVATION_NAMES = (
    *(
        "celu",
        "elu",
        "gelu",
        "glu",
        "hard_shrink",
        "hard_sigmoid",
        "hard_silu",
        "hard_swish",
        "hard_tanh",
        "leaky_relu",
    ),
    *("linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink"),
    *("softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "swish", "tanh", "tanh_shrink"),
)
#: Equations of EinsumDense on (batch, 3, 4, 5), the output's shape, and the axes of the bias.
EQUATIONS = (
    ("abcd,de->abce", (3, 4, 6), "e"),
    ("abcd,def->abcef", (3, 4, 2, 3), "ef"),
    ("abcd,def->abcfe", (3, 4, 3, 2), "ef"),
    ("abcd,cde->abe", (3, 6), None),
    ("abcd,dce->abe", (3, 6), "e"),
    ("abcd,bce->aed", (6, 5), "ed"),
    ("abcd,ce->abed", (3, 6, 5), "e"),
    ("abcd,d->abc", (3, 4), None),
    ("abcd,def->aefbc", (2, 3, 3, 4), "f"),
)
AUGMENTING = {
    "RandomBrightness": 0.3,
    "RandomColorDegeneration": 0.3,
    "RandomContrast": 0.3,
    "RandomFlip": "horizontal",
    "RandomGrayscale": 0.5,
    "RandomHue": 0.3,
    "RandomInvert": 0.3,
    "RandomPerspective": 0.5,
    "RandomPosterization": 4,
    "RandomRotation": 0.2,
    "RandomSaturation": 0.5,
    "RandomSharpness": 0.5,
    "RandomZoom": 0.3,
}


def augmenting(name: str) -> Any:
    """Build a layer that augments images; a good many take no argument."""
    options = [AUGMENTING[name]] if name in AUGMENTING else []
    named = {"RandomCrop": {"height": 8, "width": 7}, "RandomShear": {"x_factor": 0.2, "y_factor": 0.2}}
    named |= {"RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2}}
    return getattr(layers, name)(*options, **named.get(name, {}))


def two_sequences(merge: Callable[[Any, Any], Any]) -> Any:
    query, value = keras.Input((5, 4), name="query"), keras.Input((7, 4), name="value")
    return keras.Model([query, value], merge(query, value))


def three_sequences(layer: Any) -> Any:
    inputs = [keras.Input(shape, name=name) for name, shape in (("q", (5, 4)), ("v", (7, 3)), ("k", (7, 4)))]
    return keras.Model(inputs, layer(inputs))


def three_inputs(layer: Any, *, value: int = 3, key: int = 6) -> Any:
    shapes = {"q": (5, 4), "v": (7, value), "k": (7, key)}
    inputs = [keras.Input(shape, name=name) for name, shape in shapes.items()]
    return keras.Model(inputs, layer(*inputs))


def each_of(tensors: Sequence[Any], layer: Any) -> list[Any]:
    return [layer(tensor) for tensor in tensors]


def called_twice(layer: Any, x: Any) -> Any:
    y = layer(x, x)
    return layer(y, x)


CORE: Cases = {
    "Dense-3d-no-bias": lambda: on(SEQUENCE, layers.Dense(3, use_bias=False)),
    "Dense-4d": lambda: on(IMAGE, layers.Dense(5)),
    "Dense": lambda: on(LINE, layers.Dense(3, "silu", kernel_regularizer="l2", bias_regularizer=L1L2)),
    "Dense-constraint": lambda: on(LINE, layers.Dense(3, kernel_constraint="non_neg")),
    "Dense-regularizer-unknown": lambda: on(
        LINE, layers.Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer())
    ),
    "Dense-activity-regularizer": lambda: on(LINE, layers.Dense(3, activity_regularizer="l1")),
    "Embedding": lambda: on(TOKENS, layers.Embedding(9, 4), dtype="int32"),
    "Embedding-of-floats": lambda: on(TOKENS, layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)),
    "Embedding-single-token": lambda: on((1,), layers.Embedding(9, 4), dtype="int32"),
    "Embedding-2d": lambda: on((3, 5), layers.Embedding(9, 4), dtype="int64"),
    "Embedding-any-length": lambda: on((None,), layers.Embedding(9, 4, mask_zero=True), dtype="int32"),
    "Identity": lambda: on(LINE, layers.Identity()),
    "ActivityRegularization": lambda: on(LINE, layers.ActivityRegularization(0.1)),
    "Rescaling": lambda: on(IMAGE, layers.Rescaling(1 / 3, offset=-0.5)),
    "Rescaling-lists": lambda: on(IMAGE, layers.Rescaling([0.5, 2.0, 3.0], offset=[0.0, 1.0, 2.0])),
    "Rescaling-uint8": lambda: on(IMAGE, layers.Rescaling(1 / 255), dtype="uint8"),
    "Dropout": lambda: on(LINE, layers.Dropout(0.5, noise_shape=(None, 1), seed=1)),
    "AlphaDropout": lambda: on(LINE, layers.AlphaDropout(0.5)),
    "GaussianDropout": lambda: on(LINE, layers.GaussianDropout(0.5)),
    "GaussianNoise": lambda: on(LINE, layers.GaussianNoise(0.5)),
    "SpatialDropout1D": lambda: on(SEQUENCE, layers.SpatialDropout1D(0.5)),
    "SpatialDropout2D": lambda: on(IMAGE, layers.SpatialDropout2D(0.5)),
    "SpatialDropout3D": lambda: on((2, *IMAGE), layers.SpatialDropout3D(0.5)),
    **{
        f"EinsumDense-{equation}": lambda equation=equation, shape=shape, bias=bias: on(
            (3, 4, 5), layers.EinsumDense(equation, shape, bias_axes=bias, activation="tanh")
        )
        for equation, shape, bias in EQUATIONS
    },
    "EinsumDense-ellipsis": lambda: on(SEQUENCE, layers.EinsumDense("...x,xy->...y", 6, bias_axes="y")),
    "Masking": lambda: on(SEQUENCE, layers.Masking(0.5), layers.Dense(3)),
    "ReversibleEmbedding": lambda: on(TOKENS, layers.ReversibleEmbedding(9, 4, tie_weights=False), dtype="int32"),
}
CONVOLUTIONAL: Cases = {
    "Conv1D-same": lambda: on(SEQUENCE, layers.Conv1D(5, 3, padding="same", activation="relu")),
    "Conv1D-strides": lambda: on(SEQUENCE, layers.Conv1D(5, 2, strides=2, use_bias=False)),
    "Conv1D-dilation": lambda: on(SEQUENCE, layers.Conv1D(5, 2, dilation_rate=3)),
    "Conv2D-strides": lambda: on(IMAGE, layers.Conv2D(5, (3, 2), strides=(2, 1), padding="same")),
    "Conv2D-dilation": lambda: on(IMAGE, layers.Conv2D(5, 3, dilation_rate=2, activation="gelu")),
    "Conv2D-any-size": lambda: on((None, None, 3), layers.Conv2D(5, 3)),
    "DepthwiseConv2D": lambda: on(IMAGE, layers.DepthwiseConv2D(3, strides=2, padding="same")),
    "DepthwiseConv2D-multiplier": lambda: on(
        IMAGE, layers.DepthwiseConv2D(2, depth_multiplier=2, activation="tanh", use_bias=False)
    ),
    "SeparableConv2D": lambda: on(IMAGE, layers.SeparableConv2D(5, 3, depth_multiplier=2, activation="relu")),
    "SeparableConv2D-dilation": lambda: on(IMAGE, layers.SeparableConv2D(5, 2, dilation_rate=2, use_bias=False)),
    "Conv2DTranspose-same": lambda: on(IMAGE, layers.Conv2DTranspose(5, 3, strides=2, padding="same")),
    "Conv2DTranspose-valid": lambda: on(IMAGE, layers.Conv2DTranspose(5, (2, 3), strides=(3, 2))),
    "Conv2DTranspose-any-size": lambda: on((None, None, 3), layers.Conv2DTranspose(5, 4, strides=2, padding="same")),
    "Conv2DTranspose-output-padding": lambda: on(
        IMAGE, layers.Conv2DTranspose(5, 3, strides=2, padding="same", output_padding=1)
    ),
    "Conv2D-strides-beyond-one": lambda: on(IMAGE, layers.Conv2D(5, 1, strides=3, padding="same")),
    "Conv2D-channels-first": lambda: on(
        (3, 8, 7), layers.Conv2D(5, 3, strides=2, padding="same", data_format="channels_first")
    ),
    "DepthwiseConv2D-channels-first": lambda: on((3, 8, 7), layers.DepthwiseConv2D(3, data_format="channels_first")),
    "Conv2DTranspose-channels-first": lambda: on(
        (3, 8, 7), layers.Conv2DTranspose(5, 3, strides=2, data_format="channels_first")
    ),
    "Conv2D-channels-first-glu": lambda: on(
        (3, 8, 6), layers.Conv2D(4, 3, strides=4, padding="same", data_format="channels_first", activation="glu")
    ),
    "SeparableConv2D-strides": lambda: on(IMAGE, layers.SeparableConv2D(5, 3, strides=2, padding="same")),
    "Conv1D-same-strides": lambda: on(SEQUENCE, layers.Conv1D(5, 4, strides=2, padding="same")),
    "Conv1D-any-length": lambda: on(
        (None, 4), layers.Conv1D(5, 3), layers.MaxPooling1D(), layers.GlobalAveragePooling1D()
    ),
    **{
        f"{name}-{'-'.join(map(str, more.values()))}": lambda name=name, shape=shape, more=more: on(
            shape, getattr(layers, name)(**more)
        )
        for name, shape, more in (
            ("Conv1D", (7, 4), {"filters": 5, "kernel_size": 3, "padding": "causal", "activation": "relu"}),
            ("Conv1D", (7, 4), {"filters": 5, "kernel_size": 3, "padding": "causal", "strides": 2}),
            ("Conv1D", (None, 4), {"filters": 5, "kernel_size": 2, "padding": "causal", "dilation_rate": 3}),
            ("Conv1D", (7, 4), {"filters": 6, "kernel_size": 2, "groups": 2, "padding": "causal"}),
            ("Conv1D", (7, 4), {"filters": 8, "kernel_size": 2, "groups": 4, "strides": 2, "padding": "same"}),
            (
                "Conv1D",
                (4, 7),
                {"filters": 5, "kernel_size": 2, "data_format": "channels_first", "activation": "softmax"},
            ),
            ("Conv1D", (7, 4), {"filters": 5, "kernel_size": 2, "strides": 3, "padding": "same"}),
            ("Conv2D", (8, 7, 4), {"filters": 6, "kernel_size": 3, "groups": 2, "activation": "hard_silu"}),
            ("Conv2D", (8, 7, 4), {"filters": 4, "kernel_size": 3, "groups": 4, "dilation_rate": 2}),
            ("Conv2D", (4, 8, 7), {"filters": 8, "kernel_size": 2, "groups": 4, "data_format": "channels_first"}),
            ("Conv2D", (8, 7, 3), {"filters": 5, "kernel_size": (1, 3), "strides": 2, "padding": "same"}),
            ("Conv2D", (3, 8, 7), {"filters": 5, "kernel_size": 2, "strides": 3, "padding": "same"}),
            ("Conv3D", (5, 6, 7, 2), {"filters": 3, "kernel_size": 2, "padding": "same", "strides": (2, 1, 2)}),
            ("Conv3D", (5, 6, 7, 4), {"filters": 4, "kernel_size": 2, "groups": 2, "padding": "same", "strides": 3}),
            ("Conv1DTranspose", (7, 4), {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}),
            ("Conv1DTranspose", (7, 4), {"filters": 3, "kernel_size": 2, "strides": 3, "output_padding": 1}),
            ("Conv2DTranspose", (5, 4, 3), {"filters": 2, "kernel_size": 3, "dilation_rate": 2}),
            ("Conv2DTranspose", (5, 4, 3), {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1}),
            ("Conv2DTranspose", (5, 4, 3), {"filters": 2, "kernel_size": 4, "strides": 3, "output_padding": 2}),
            (
                "Conv2DTranspose",
                (3, 5, 4),
                {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "data_format": "channels_first"},
            ),
            ("Conv3DTranspose", (3, 4, 5, 2), {"filters": 3, "kernel_size": (2, 3, 4), "strides": (2, 1, 3)}),
            ("Conv3DTranspose", (3, 4, 5, 2), {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"}),
            ("DepthwiseConv1D", (7, 4), {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": "same"}),
            ("DepthwiseConv1D", (None, 4), {"kernel_size": 3, "padding": "same", "activation": "leaky_relu"}),
            ("DepthwiseConv2D", (8, 7, 3), {"kernel_size": 2, "dilation_rate": 2, "padding": "same"}),
            ("DepthwiseConv2D", (8, 7, 3), {"kernel_size": 2, "strides": 3, "padding": "same"}),
            ("SeparableConv1D", (7, 4), {"filters": 5, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}),
            ("SeparableConv2D", (3, 8, 7), {"filters": 4, "kernel_size": 3, "data_format": "channels_first"}),
            ("SeparableConv2D", (8, 7, 3), {"filters": 5, "kernel_size": 2, "strides": 3, "padding": "same"}),
        )
    },
}
POOLING: Cases = {
    **{
        f"{name}-{'-'.join(map(str, more.values()))}": lambda name=name, shape=shape, more=more: on(
            shape, getattr(layers, name)(**more)
        )
        for name, shape, more in (
            ("MaxPooling1D", (4, 7), {"pool_size": 2, "data_format": "channels_first"}),
            ("AveragePooling1D", (7, 4), {"pool_size": 2, "strides": 3, "padding": "same"}),
            ("MaxPooling2D", (8, 7, 3), {"pool_size": 2, "strides": 3, "padding": "same"}),
            ("AveragePooling2D", (8, 7, 3), {"pool_size": (1, 2), "strides": 3, "padding": "same"}),
            ("MaxPooling3D", (5, 6, 7, 2), {"pool_size": 2, "strides": 3, "padding": "same"}),
            ("AveragePooling3D", (5, 6, 7, 2), {"pool_size": (1, 3, 2), "padding": "same"}),
            ("AveragePooling3D", (2, 5, 6, 7), {"pool_size": 2, "data_format": "channels_first"}),
            ("GlobalAveragePooling3D", (3, 4, 5, 2), {"keepdims": True}),
            ("GlobalMaxPooling3D", (2, 3, 4, 5), {"data_format": "channels_first"}),
            ("GlobalMaxPooling2D", (3, 8, 7), {"data_format": "channels_first", "keepdims": True}),
            ("GlobalAveragePooling1D", (4, 7), {"data_format": "channels_first"}),
            ("AdaptiveAveragePooling1D", (9, 4), {"output_size": 3}),
            ("AdaptiveAveragePooling1D", (9, 4), {"output_size": 4}),
            ("AdaptiveMaxPooling1D", (9, 4), {"output_size": 4}),
            ("AdaptiveAveragePooling2D", (9, 8, 3), {"output_size": (4, 3)}),
            ("AdaptiveMaxPooling2D", (9, 8, 3), {"output_size": (4, 3)}),
            ("AdaptiveAveragePooling3D", (5, 6, 7, 2), {"output_size": (2, 3, 4)}),
            ("AdaptiveMaxPooling3D", (5, 6, 7, 2), {"output_size": (2, 3, 4)}),
        )
    },
    **{
        f"{name}1D-{padding}": lambda name=name, padding=padding: on(
            SEQUENCE, getattr(layers, f"{name}1D")(3, 2, padding=padding)
        )
        for name in ("MaxPooling", "AveragePooling")
        for padding in ("valid", "same")
    },
    **{
        f"{name}2D-{padding}": lambda name=name, padding=padding: on(
            IMAGE, getattr(layers, f"{name}2D")((3, 2), (2, 1), padding=padding)
        )
        for name in ("MaxPooling", "AveragePooling")
        for padding in ("valid", "same")
    },
    **{
        f"{name}-{keepdims}": lambda name=name, shape=shape, keepdims=keepdims: on(
            shape, getattr(layers, name)(keepdims=keepdims)
        )
        for name, shape in (
            ("GlobalMaxPooling1D", SEQUENCE),
            ("GlobalAveragePooling1D", SEQUENCE),
            ("GlobalMaxPooling2D", IMAGE),
            ("GlobalAveragePooling2D", IMAGE),
        )
        for keepdims in (False, True)
    },
    "MaxPooling2D-channels-first": lambda: on((3, 8, 7), layers.MaxPooling2D(3, 2, data_format="channels_first")),
    "AveragePooling2D-channels-first": lambda: on(
        (3, 8, 7), layers.AveragePooling2D(3, 2, padding="same", data_format="channels_first")
    ),
}
NORMALIZATION: Cases = {
    "BatchNormalization-2d": lambda: on(LINE, layers.BatchNormalization(epsilon=0.1)),
    "BatchNormalization-3d": lambda: on(SEQUENCE, layers.BatchNormalization(scale=False)),
    "BatchNormalization-4d": lambda: on(IMAGE, layers.BatchNormalization(axis=3, center=False)),
    "LayerNormalization": lambda: on(SEQUENCE, layers.LayerNormalization()),
    "LayerNormalization-axes": lambda: on(IMAGE, layers.LayerNormalization(axis=[2, 3], epsilon=0.1)),
    "LayerNormalization-bare": lambda: on(LINE, layers.LayerNormalization(scale=False, center=False)),
    "LayerNormalization-negative-axes": lambda: on(IMAGE, layers.LayerNormalization(axis=[-3, -1])),
    "LayerNormalization-first-axis": lambda: on(SEQUENCE, layers.LayerNormalization(axis=1)),
    "LayerNormalization-5d": lambda: on((2, 3, 4, 5), layers.LayerNormalization()),
    "LayerNormalization-5d-axes": lambda: on((2, 3, 4, 5), layers.LayerNormalization(axis=[3, 1])),
    "LayerNormalization-unsorted": lambda: on(IMAGE, layers.LayerNormalization(axis=[3, 1])),
    "BatchNormalization-axis": lambda: on(IMAGE, layers.BatchNormalization(axis=1)),
    "BatchNormalization-5d": lambda: on((2, *IMAGE), layers.BatchNormalization()),
    "BatchNormalization-5d-axis": lambda: on((2, *IMAGE), layers.BatchNormalization(axis=2)),
    **{
        f"GroupNormalization-{'-'.join(map(str, more.values()))}": lambda shape=shape, more=more: on(
            shape, layers.GroupNormalization(**more)
        )
        for shape, more in (
            ((5, 4, 6), {"groups": 2}),
            ((5, 6), {"groups": 3, "epsilon": 0.1}),
            ((6, 5, 4), {"groups": 2, "axis": 1}),
            ((5, 4, 6), {"groups": -1}),
            ((5, 4, 6), {"groups": 1, "center": False}),
            ((5, 4, 6), {"groups": 3, "scale": False}),
            ((5, 4, 6), {"groups": 6, "scale": False, "center": False}),
        )
    },
    "RMSNormalization": lambda: on(SEQUENCE, layers.RMSNormalization(epsilon=0.1)),
    "RMSNormalization-axes": lambda: on(IMAGE, layers.RMSNormalization(axis=[2, 3])),
    "UnitNormalization": lambda: on(SEQUENCE, layers.UnitNormalization()),
    "UnitNormalization-first": lambda: on(IMAGE, layers.UnitNormalization(axis=1)),
    "SpectralNormalization": lambda: on(IMAGE, layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu"))),
    "Normalization": lambda: on(IMAGE, layers.Normalization(mean=[1e3, 0.0, -2.0], variance=[1.0, 4.0, 0.0])),
    "Normalization-number": lambda: on(LINE, layers.Normalization(axis=None, mean=0.5, variance=2.0)),
    "Normalization-axis": lambda: on(
        SEQUENCE, layers.Normalization(axis=1, mean=[float(i) for i in range(7)], variance=[1.0 + i for i in range(7)])
    ),
    "Normalization-invert": lambda: on(LINE, layers.Normalization(mean=2.0, variance=3.0, invert=True)),
    "Normalization-integers": lambda: on(LINE, layers.Normalization(mean=2.0, variance=3.0), dtype="int32"),
}
ACTIVATIONS: Cases = {
    **{f"Activation-{name}": activation_case(name) for name in ACTIVATION_NAMES},
    "ReLU-all": lambda: on(LINE, layers.ReLU(max_value=0.8, negative_slope=0.2, threshold=0.3)),
    "ReLU-max-slope": lambda: on(LINE, layers.ReLU(max_value=0.8, negative_slope=0.2)),
    "ReLU-max-threshold": lambda: on(LINE, layers.ReLU(max_value=0.8, threshold=0.3)),
    "ELU-alpha": lambda: on(LINE, layers.ELU(alpha=0.4)),
    "Softmax-axis": lambda: on(SEQUENCE, layers.Softmax(axis=1)),
    "Softmax-axes": lambda: on(IMAGE, layers.Softmax(axis=[1, -1])),
    "Dense-layer-as-activation": lambda: on(LINE, layers.Dense(4, activation=layers.LeakyReLU(negative_slope=0.1))),
    "ReLU": lambda: on(LINE, layers.ReLU()),
    "ReLU-max": lambda: on(LINE, layers.ReLU(max_value=0.5)),
    "ReLU-slope": lambda: on(LINE, layers.ReLU(negative_slope=0.2)),
    "ReLU-threshold": lambda: on(LINE, layers.ReLU(threshold=0.4)),
    "LeakyReLU": lambda: on(LINE, layers.LeakyReLU()),
    "LeakyReLU-slope": lambda: on(LINE, layers.LeakyReLU(negative_slope=0.05)),
    "PReLU": lambda: on(IMAGE, layers.PReLU()),
    "PReLU-shared": lambda: on(IMAGE, layers.PReLU(shared_axes=[1, 2])),
    "ELU": lambda: on(LINE, layers.ELU()),
    "Softmax": lambda: on(SEQUENCE, layers.Softmax()),
    "Softmax-last": lambda: on(SEQUENCE, layers.Softmax(axis=2)),
}
MERGING: Cases = {
    "Maximum-three-ranks": lambda: on(
        IMAGE,
        lambda x: layers.Maximum()([x, layers.Flatten()(layers.Conv2D(1, (8, 5))(x)), layers.Conv2D(3, (1, 7))(x)]),
    ),
    **{
        name: lambda name=name: on_two(SEQUENCE, getattr(layers, name)())
        for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")
    },
    "Multiply-broadcast": lambda: on_two(IMAGE, layers.Multiply(), second=(1, 1, 3)),
    "Add-other-rank": lambda: on_two(SEQUENCE, layers.Add(), second=(4,)),
    "Subtract-other-rank": lambda: on_two((4,), layers.Subtract(), second=SEQUENCE),
    "Average-three": lambda: on(LINE, lambda x: layers.Average()([x, layers.Dense(6)(x), x])),
    "Add-same-tensor-twice": lambda: on(LINE, lambda x: layers.Add()([x, x])),
    "Concatenate": lambda: on_two(SEQUENCE, layers.Concatenate()),
    "Concatenate-axis": lambda: on_two(SEQUENCE, layers.Concatenate(axis=1), second=(3, 4)),
    "Concatenate-negative-axis": lambda: on_two(SEQUENCE, layers.Concatenate(axis=-2), second=(3, 4)),
    "Concatenate-negative-axis-alike": lambda: on_two(SEQUENCE, layers.Concatenate(axis=-2)),
    "Dot": lambda: on_two(LINE, layers.Dot(axes=1)),
    "Dot-normalize": lambda: on_two(LINE, layers.Dot(axes=-1, normalize=True)),
    "Dot-matmul": lambda: on_two(SEQUENCE, layers.Dot(axes=(2, 1)), second=(4, 5)),
    "Dot-last": lambda: on_two(SEQUENCE, layers.Dot(axes=-1), second=(3, 4)),
    "Dot-first": lambda: on_two(SEQUENCE, layers.Dot(axes=1), second=(7, 2)),
}
ATTENTION: Cases = {
    "Attention": lambda: two_sequences(lambda query, value: layers.Attention()([query, value])),
    "Attention-key-scale": lambda: three_sequences(layers.Attention(use_scale=True)),
    "Attention-concat": lambda: three_sequences(layers.Attention(score_mode="concat", use_scale=True)),
    "Attention-causal": lambda: on(SEQUENCE, lambda x: layers.Attention()([x, x], use_causal_mask=True)),
    "AdditiveAttention": lambda: two_sequences(lambda query, value: layers.AdditiveAttention()([query, value])),
    "AdditiveAttention-unscaled": lambda: three_sequences(layers.AdditiveAttention(use_scale=False)),
}
MULTI_HEAD_ATTENTION: Cases = {
    "MultiHeadAttention": lambda: two_sequences(layers.MultiHeadAttention(3, 2)),
    "MultiHeadAttention-key": lambda: three_inputs(layers.MultiHeadAttention(2, 3, value_dim=4, use_bias=False)),
    "MultiHeadAttention-one-head": lambda: on(SEQUENCE, lambda x: layers.MultiHeadAttention(1, 4)(x, x)),
    "MultiHeadAttention-any-length": lambda: on((None, 4), lambda x: layers.MultiHeadAttention(2, 4)(x, x)),
    "MultiHeadAttention-causal": lambda: on(
        SEQUENCE, lambda x: layers.MultiHeadAttention(2, 4, dropout=0.3)(x, x, use_causal_mask=True)
    ),
    "MultiHeadAttention-causal-crossed": lambda: two_sequences(
        lambda query, value: layers.MultiHeadAttention(2, 4)(query, value, use_causal_mask=True)
    ),
    "MultiHeadAttention-window": lambda: on(
        SEQUENCE, lambda x: layers.MultiHeadAttention(2, 4, sliding_window=2, use_gate=True)(x, x)
    ),
    "MultiHeadAttention-output_shape": lambda: on(
        SEQUENCE, lambda x: layers.MultiHeadAttention(2, 4, output_shape=(3, 2), kernel_regularizer="l2")(x, x)
    ),
    "MultiHeadAttention-shared": lambda: on(SEQUENCE, lambda x: called_twice(layers.MultiHeadAttention(2, 3), x)),
    "GroupedQueryAttention": lambda: two_sequences(layers.GroupQueryAttention(3, 4, 2)),
    "GroupedQueryAttention-causal": lambda: on(
        SEQUENCE, lambda x: layers.GroupQueryAttention(3, 4, 2, use_gate=True)(x, x, use_causal_mask=True)
    ),
    "GroupedQueryAttention-key": lambda: three_inputs(
        layers.GroupQueryAttention(2, 4, 1, use_bias=False), value=4, key=4
    ),
}
PREPROCESSING: Cases = {
    **{
        name: lambda name=name: on(IMAGE, augmenting(name))
        for name in MAPPINGS
        if MAPPINGS[name] is MAPPINGS["RandomFlip"]
    },
    **{
        f"Resizing-{'-'.join(map(str, more))}-{more['height']}": lambda more=more: on(IMAGE, layers.Resizing(**more))
        for more in (
            {"height": 16, "width": 5, "interpolation": "bilinear"},
            {"height": 5, "width": 9, "interpolation": "nearest"},
            {"height": 4, "width": 4, "interpolation": "bicubic", "antialias": True},
            {"height": 4, "width": 9, "crop_to_aspect_ratio": True},
            {"height": 4, "width": 9, "pad_to_aspect_ratio": True},
            {"height": 12, "width": 6, "interpolation": "lanczos5"},
        )
    },
    "CenterCrop": lambda: on(IMAGE, layers.CenterCrop(3, 4)),
    "CenterCrop-larger": lambda: on(IMAGE, layers.CenterCrop(12, 5)),
    "Pipeline": lambda: on(IMAGE, layers.Pipeline([layers.Rescaling(0.5), layers.CenterCrop(3, 4), layers.Dense(2)])),
    **{
        f"CategoryEncoding-{mode}": lambda mode=mode: on(
            TOKENS, layers.CategoryEncoding(9, output_mode=mode), dtype="int32"
        )
        for mode in ("one_hot", "multi_hot", "count")
    },
}
RESHAPING: Cases = {
    **{
        f"{name}-{'-'.join(map(str, more.values())) or 'plain'}": lambda name=name, shape=shape, more=more: on(
            shape, getattr(layers, name)(**more)
        )
        for name, shape, more in (
            ("Cropping1D", (7, 4), {"cropping": (1, 2)}),
            ("Cropping2D", (3, 8, 7), {"cropping": ((1, 0), (2, 1)), "data_format": "channels_first"}),
            ("Cropping2D", (8, 7, 3), {}),
            ("Cropping3D", (5, 6, 7, 2), {"cropping": ((1, 0), (2, 1), (0, 3))}),
            ("Cropping3D", (2, 5, 6, 7), {"cropping": 1, "data_format": "channels_first"}),
            ("ZeroPadding1D", (7, 4), {"padding": (1, 2)}),
            ("ZeroPadding1D", (None, 4), {"padding": 2}),
            ("ZeroPadding3D", (3, 4, 5, 2), {"padding": ((1, 0), (2, 1), (0, 3))}),
            ("ZeroPadding3D", (3, 4, 5, 2), {"padding": ((1, 0), (2, 1), (0, 0))}),
            ("UpSampling1D", (7, 4), {"size": 3}),
            ("UpSampling3D", (3, 4, 5, 2), {"size": (2, 1, 3)}),
            ("UpSampling3D", (2, 3, 4, 5), {"size": 2, "data_format": "channels_first"}),
            ("UpSampling2D", (4, 5, 3), {"size": (2, 3), "interpolation": "bilinear"}),
            ("UpSampling2D", (3, 4, 5), {"size": 2, "interpolation": "bicubic", "data_format": "channels_first"}),
        )
    },
    "Reshape": lambda: on(SEQUENCE, layers.Reshape((2, 14))),
    "Reshape-open": lambda: on((None, 4), layers.Reshape((-1, 2))),
    "Reshape-Flatten-any-size": lambda: on((None, 4), layers.Reshape((2, -1)), layers.Flatten()),
    "Reshape-Dense": lambda: on(SEQUENCE, layers.Reshape((2, -1)), layers.Dense(3)),
    "Flatten": lambda: on(IMAGE, layers.Flatten()),
    "Flatten-vector": lambda: on((4,), layers.Flatten(data_format="channels_first"), layers.Dense(3)),
    "Flatten-channels-first": lambda: on(IMAGE, layers.Flatten(data_format="channels_first")),
    "Permute": lambda: on(IMAGE, layers.Permute((3, 1, 2))),
    "Permute-any-size": lambda: on((None, 4), layers.Permute((2, 1))),
    "RepeatVector": lambda: on(LINE, layers.RepeatVector(3)),
    "ZeroPadding2D": lambda: on(IMAGE, layers.ZeroPadding2D(((1, 2), (0, 3)))),
    "ZeroPadding2D-any-size": lambda: on((None, None, 3), layers.ZeroPadding2D(1)),
    "ZeroPadding2D-channels-first": lambda: on(IMAGE, layers.ZeroPadding2D(1, data_format="channels_first")),
    "Cropping2D": lambda: on(IMAGE, layers.Cropping2D(((1, 2), (0, 3)))),
    "UpSampling2D": lambda: on(IMAGE, layers.UpSampling2D((2, 3))),
    "UpSampling2D-channels-first": lambda: on((3, 8, 7), layers.UpSampling2D(data_format="channels_first")),
    "UpSampling2D-any-size": lambda: on((None, None, 3), layers.UpSampling2D()),
    "integers-rearranged": lambda: on(
        TOKENS,
        layers.Reshape((7, 1)),
        layers.Permute((2, 1)),
        layers.Flatten(),
        layers.RepeatVector(2),
        layers.Embedding(5, 3),
        dtype="int32",
    ),
}
RECURRENT: Cases = {
    **{
        f"{cls.__name__}-{'-'.join(more) or 'plain'}": lambda cls=cls, options=options, more=more: on(
            SEQUENCE, cls(3, **options, **more)
        )
        for cls, options in ((layers.SimpleRNN, {}), (layers.LSTM, {}), (layers.GRU, {"reset_after": False}))
        for more in (
            {},
            {"return_sequences": True},
            {"return_state": True},
            {"go_backwards": True, "return_sequences": True},
            {"use_bias": False, "unroll": True},
            {"activation": "relu", "dropout": 0.2, "recurrent_dropout": 0.3},
        )
    },
    "LSTM-any-length": lambda: on((None, 4), layers.LSTM(3, recurrent_activation="tanh", unit_forget_bias=False)),
    "LSTM-initial-state": lambda: with_initial_state(layers.LSTM(3)),
    "GRU-initial-state": lambda: with_initial_state(layers.GRU(3, reset_after=False)),
    "GRU-reset-after": lambda: on(SEQUENCE, layers.GRU(3)),
    "GRU-reset-after-sequences": lambda: on(
        SEQUENCE, layers.GRU(3, return_sequences=True, recurrent_activation="relu", activation="elu")
    ),
    "GRU-reset-after-backwards": lambda: on(
        SEQUENCE, layers.GRU(3, go_backwards=True, return_sequences=True, use_bias=False, dropout=0.2)
    ),
    "GRU-reset-after-one-step": lambda: on((1, 4), layers.GRU(3, return_sequences=True)),
    "GRU-reset-after-initial-state": lambda: with_initial_state(layers.GRU(3)),
    "GRU-reset-after-stack": lambda: on(SEQUENCE, layers.GRU(3, return_sequences=True), layers.GRU(2), layers.Dense(2)),
    "GRU-reset-after-shared": lambda: on_two(SEQUENCE, lambda pair: layers.Add()(each_of(pair, layers.GRU(3)))),
    "SimpleRNN-initial-state": lambda: with_initial_state(layers.SimpleRNN(3)),
    **{
        f"Bidirectional-{mode}": lambda mode=mode: on(
            SEQUENCE, layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode=mode)
        )
        for mode in ("concat", "sum", "mul", "ave", None)
    },
    **{
        f"Bidirectional-GRU-{mode}": lambda mode=mode: on(
            SEQUENCE, layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode=mode)
        )
        for mode in ("concat", "sum", "mul", "ave")
    },
    "Bidirectional-GRU-last": lambda: on(SEQUENCE, layers.Bidirectional(layers.GRU(3, dropout=0.2))),
    "Bidirectional-GRU-backwards": lambda: on(
        SEQUENCE,
        layers.Bidirectional(
            layers.GRU(3, go_backwards=True, return_sequences=True),
            backward_layer=layers.GRU(3, return_sequences=True),
        ),
    ),
    "Bidirectional-GRU-one-step": lambda: on((1, 4), layers.Bidirectional(layers.GRU(3, return_sequences=True))),
    "Bidirectional-GRU-reset-before": lambda: on(SEQUENCE, layers.Bidirectional(layers.GRU(3, reset_after=False))),
    "Bidirectional-backwards": lambda: on(
        SEQUENCE, layers.Bidirectional(layers.SimpleRNN(3, go_backwards=True), backward_layer=layers.SimpleRNN(3))
    ),
    "Bidirectional-return-state": lambda: on(SEQUENCE, layers.Bidirectional(layers.LSTM(3, return_state=True))),
    "TimeDistributed-Dense": lambda: on(SEQUENCE, layers.TimeDistributed(layers.Dense(3, activation="relu"))),
    "TimeDistributed-Conv2D": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.Conv2D(3, 2))),
    "TimeDistributed-BatchNormalization": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.BatchNormalization())),
    "TimeDistributed-Flatten-vectors": lambda: on((2, 4), layers.TimeDistributed(layers.Flatten())),
    "TimeDistributed-Flatten": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.Flatten())),
    **{
        f"{cls.__name__}-hard_sigmoid-{'-'.join(more)}": lambda cls=cls, more=more: on(SEQUENCE, cls(3, **more))
        for cls, more in (
            (layers.SimpleRNN, {"activation": "hard_sigmoid"}),
            (layers.LSTM, {"recurrent_activation": "hard_sigmoid"}),
            (layers.GRU, {"recurrent_activation": "hard_sigmoid", "reset_after": False}),
            (layers.GRU, {"activation": "hard_sigmoid", "reset_after": False, "use_bias": False}),
        )
    },
    "Bidirectional-hard_sigmoid": lambda: on(
        SEQUENCE, layers.Bidirectional(layers.LSTM(3, recurrent_activation="hard_sigmoid"))
    ),
    "RNN-LSTMCell": lambda: on(SEQUENCE, layers.RNN(layers.LSTMCell(3), return_sequences=True)),
    "RNN-GRUCell": lambda: on(SEQUENCE, layers.RNN(layers.GRUCell(3, reset_after=False), return_state=True)),
    "RNN-SimpleRNNCell": lambda: on(SEQUENCE, layers.RNN(layers.SimpleRNNCell(3), go_backwards=True)),
    "RNN-StackedRNNCells": lambda: on(
        SEQUENCE, layers.RNN([layers.LSTMCell(3), layers.GRUCell(2, reset_after=False), layers.SimpleRNNCell(4)])
    ),
    "mask-RNN": lambda: masked(layers.RNN(layers.LSTMCell(3))),
    **{
        f"ConvLSTM2D-{'-'.join(more)}": lambda more=more: on((4, *IMAGE), layers.ConvLSTM2D(2, 3, **more))
        for more in (
            {"padding": "same", "return_sequences": True},
            {"recurrent_activation": "hard_sigmoid", "activation": "relu"},
            {"strides": (2, 1), "go_backwards": True, "use_bias": False},
        )
    },
    "ConvLSTM1D": lambda: on((4, *SEQUENCE), layers.ConvLSTM1D(2, 3, padding="same", return_sequences=True)),
    "TimeDistributed-Sequential": lambda: on(
        (3, *IMAGE),
        layers.TimeDistributed(
            keras.Sequential(
                [
                    keras.Input(IMAGE),
                    layers.Conv2D(3, 3, activation="hard_sigmoid"),
                    layers.MaxPooling2D(),
                    layers.Flatten(),
                    layers.RMSNormalization(),
                    layers.Dense(2),
                ]
            )
        ),
    ),
    "TimeDistributed-RMSNormalization": lambda: on((3, *SEQUENCE), layers.TimeDistributed(layers.RMSNormalization())),
    "Bidirectional-ConvLSTM2D": lambda: on((4, *IMAGE), layers.Bidirectional(layers.ConvLSTM2D(2, 3))),
    "shared-unlike-lengths": lambda: on_two(
        SEQUENCE,
        lambda pair: [one(x) for one in [layers.Conv1D(3, 2, padding="causal", activation="hard_silu")] for x in pair],
        second=(9, 4),
    ),
    "mask-composed": lambda: masked(layers.Dense(4, "hard_silu"), layers.GlobalMaxPooling1D()),
    "TimeDistributed-two-layers": lambda: on(
        (3, *IMAGE), layers.TimeDistributed(layers.GlobalMaxPooling2D(keepdims=True))
    ),
    "TimeDistributed-hard_sigmoid": lambda: on(
        (3, *IMAGE), layers.TimeDistributed(layers.Conv2D(2, 3, activation="hard_silu"))
    ),
    "TimeDistributed-Conv1D-causal": lambda: on(
        (3, *SEQUENCE), layers.TimeDistributed(layers.Conv1D(2, 3, padding="causal"))
    ),
}
MASKS: Cases = {
    "mask-LSTM": lambda: masked(layers.LSTM(3)),
    "mask-GRU-sequences": lambda: masked(layers.GRU(3, reset_after=False, return_sequences=True)),
    "mask-stacked": lambda: masked(layers.SimpleRNN(3, return_sequences=True), layers.LSTM(3)),
    "mask-Bidirectional": lambda: masked(layers.Bidirectional(layers.LSTM(3))),
    "mask-Bidirectional-sequences": lambda: masked(
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Dense(2),
        layers.LayerNormalization(),
        layers.GRU(2, reset_after=False),
    ),
    "mask-Bidirectional-twice": lambda: masked(
        layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True)), layers.Bidirectional(layers.LSTM(3))
    ),
    "mask-handed-on": lambda: masked(layers.Dropout(0.1), layers.Dense(4), layers.LayerNormalization(), layers.LSTM(3)),
    "mask-BatchNormalization-Softmax": lambda: masked(layers.BatchNormalization(), layers.LSTM(3), layers.Softmax()),
    "mask-TimeDistributed": lambda: masked(
        layers.LSTM(3, return_sequences=True), layers.TimeDistributed(layers.Dense(2)), layers.LSTM(2)
    ),
}
OPERATIONS: Cases = {
    **{f"ops-{name}": lambda build=build, shape=shape: on(shape, build) for name, (shape, build) in UNARY.items()},
    **{
        f"ops-{name}": lambda build=build, more=more: on_two(SEQUENCE, lambda pair: build(*pair), **more)
        for name, (more, build) in BINARY.items()
    },
    "ops-cast-integers": lambda: on(TOKENS, lambda x: keras.ops.cast(x, "float32"), layers.Dense(3), dtype="int32"),
    "ops-tokens": lambda: on((1, 7), lambda x: keras.ops.squeeze(x, 1)[:, 2:], layers.Embedding(9, 4), dtype="int32"),
}
#: Module of ``tfjs_magic/layers`` → its cases; those of all operations stand together.
FAMILIES: dict[str, Cases] = {
    "core": CORE,
    "convolutional": CONVOLUTIONAL,
    "pooling": POOLING,
    "normalization": NORMALIZATION,
    "activations": ACTIVATIONS,
    "merging": MERGING,
    "attention": ATTENTION,
    "multi_head_attention": MULTI_HEAD_ATTENTION,
    "preprocessing": PREPROCESSING,
    "reshaping": RESHAPING,
    "recurrent": RECURRENT,
    "masks": MASKS,
    "operations": OPERATIONS,
}
CASES: Cases = {name: build for cases in FAMILIES.values() for name, build in cases.items()}
