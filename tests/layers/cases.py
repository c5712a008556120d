"""Models of one layer each (or one mask, or one merge): every option that a layers model must hold exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tests.models import layers

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
    return lambda: on(LINE, layers.Dense(5), layers.Activation(name))


L1L2 = keras.regularizers.L1L2(0.1, 0.2)
ACTIVATIONS = (
    *("elu", "gelu", "linear", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid"),
    *("silu", "softmax", "softplus", "softsign", "swish", "tanh"),
)

CASES: dict[str, Callable[[], Any]] = {
    # core
    "Dense-3d-no-bias": lambda: on(SEQUENCE, layers.Dense(3, use_bias=False)),
    "Dense-4d": lambda: on(IMAGE, layers.Dense(5)),
    "Dense": lambda: on(LINE, layers.Dense(3, "silu", kernel_regularizer="l2", bias_regularizer=L1L2)),
    "Dense-constraint": lambda: on(LINE, layers.Dense(3, kernel_constraint="non_neg")),
    "Dense-regularizer-unknown": lambda: on(
        LINE, layers.Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer())
    ),
    "Dense-activity-regularizer": lambda: on(LINE, layers.Dense(3, activity_regularizer="l1")),
    "Embedding": lambda: on(TOKENS, layers.Embedding(9, 4), dtype="int32"),
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
    **{f"Activation-{name}": activation_case(name) for name in ACTIVATIONS},
    # convolutional
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
    "SeparableConv2D-strides": lambda: on(IMAGE, layers.SeparableConv2D(5, 3, strides=2, padding="same")),
    "Conv1D-same-strides": lambda: on(SEQUENCE, layers.Conv1D(5, 4, strides=2, padding="same")),
    "Conv1D-any-length": lambda: on(
        (None, 4), layers.Conv1D(5, 3), layers.MaxPooling1D(), layers.GlobalAveragePooling1D()
    ),
    # pooling
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
    # normalization
    "BatchNormalization-2d": lambda: on(LINE, layers.BatchNormalization(epsilon=0.1)),
    "BatchNormalization-3d": lambda: on(SEQUENCE, layers.BatchNormalization(scale=False)),
    "BatchNormalization-4d": lambda: on(IMAGE, layers.BatchNormalization(axis=3, center=False)),
    "LayerNormalization": lambda: on(SEQUENCE, layers.LayerNormalization()),
    "LayerNormalization-axes": lambda: on(IMAGE, layers.LayerNormalization(axis=[2, 3], epsilon=0.1)),
    "LayerNormalization-bare": lambda: on(LINE, layers.LayerNormalization(scale=False, center=False)),
    "LayerNormalization-negative-axes": lambda: on(IMAGE, layers.LayerNormalization(axis=[-3, -1])),
    "LayerNormalization-first-axis": lambda: on(SEQUENCE, layers.LayerNormalization(axis=1)),
    "LayerNormalization-unsorted": lambda: on(IMAGE, layers.LayerNormalization(axis=[3, 1])),
    # activations
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
    # merging
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
    # reshaping
    "Reshape": lambda: on(SEQUENCE, layers.Reshape((2, 14))),
    "Reshape-open": lambda: on((None, 4), layers.Reshape((-1, 2))),
    "Reshape-Flatten-any-size": lambda: on((None, 4), layers.Reshape((2, -1)), layers.Flatten()),
    "Reshape-Dense": lambda: on(SEQUENCE, layers.Reshape((2, -1)), layers.Dense(3)),
    "Flatten": lambda: on(IMAGE, layers.Flatten()),
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
    # recurrent
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
    "SimpleRNN-initial-state": lambda: with_initial_state(layers.SimpleRNN(3)),
    **{
        f"Bidirectional-{mode}": lambda mode=mode: on(
            SEQUENCE, layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode=mode)
        )
        for mode in ("concat", "sum", "mul", "ave", None)
    },
    "Bidirectional-GRU": lambda: on(SEQUENCE, layers.Bidirectional(layers.GRU(3, reset_after=False))),
    "Bidirectional-backwards": lambda: on(
        SEQUENCE, layers.Bidirectional(layers.SimpleRNN(3, go_backwards=True), backward_layer=layers.SimpleRNN(3))
    ),
    "Bidirectional-return-state": lambda: on(SEQUENCE, layers.Bidirectional(layers.LSTM(3, return_state=True))),
    "TimeDistributed-Dense": lambda: on(SEQUENCE, layers.TimeDistributed(layers.Dense(3, activation="relu"))),
    "TimeDistributed-Conv2D": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.Conv2D(3, 2))),
    "TimeDistributed-BatchNormalization": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.BatchNormalization())),
    "TimeDistributed-Flatten": lambda: on((2, *IMAGE), layers.TimeDistributed(layers.Flatten())),
    # masks
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
    "Masking-unread": lambda: on(SEQUENCE, layers.Masking(0.5), layers.Dense(3)),
}
