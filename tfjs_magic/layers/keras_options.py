"""What tfjs's classes, options and their values are called in Keras, and which Keras does not have."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.layers.activation_functions import TFJS_ACTIVATIONS
from tfjs_magic.layers.tfjs_functions import hard_sigmoid

Config = Mapping[str, Any]

CONTAINERS = frozenset({"Model", "Functional", "Sequential"})
_SAME = (
    *("Activation", "Add", "AlphaDropout", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"),
    *("BatchNormalization", "Bidirectional", "Concatenate", "Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D"),
    *("Conv3DTranspose", "ConvLSTM2D", "Cropping2D", "Dense", "DepthwiseConv2D", "Dot", "Dropout", "ELU", "Embedding"),
    *("Flatten", "GRU", "GRUCell", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D"),
    *("GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "LSTM", "LSTMCell", "LayerNormalization"),
    *("LeakyReLU", "Masking", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "Multiply"),
    *("PReLU", "Permute", "RNN", "ReLU", "RepeatVector", "Rescaling", "Reshape", "SeparableConv2D", "SimpleRNN"),
    *("SimpleRNNCell", "Softmax", "SpatialDropout1D", "StackedRNNCells", "TimeDistributed", "UpSampling2D"),
    "ZeroPadding2D",
)
#: tfjs class → Keras class.
CLASSES: Mapping[str, str] = {**{name: name for name in _SAME}, "ThresholdedReLU": "ReLU"}
#: tfjs class → its options that have another name in Keras.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}
#: What tfjs takes where an option is missing, if Keras takes something else.
TFJS_DEFAULTS: Mapping[str, Config] = {
    "ConvLSTM2D": {"recurrent_activation": "hard_sigmoid"},
    "GRU": {"recurrent_activation": "hard_sigmoid", "reset_after": False},
    "GRUCell": {"recurrent_activation": "hard_sigmoid", "reset_after": False},
    "LSTM": {"recurrent_activation": "hard_sigmoid"},
    "LSTMCell": {"recurrent_activation": "hard_sigmoid"},
    "ThresholdedReLU": {"theta": 1.0},
}
#: The values of an option that tfjs computes as Keras does; it ignores others, or has them otherwise.
EXACT_VALUES: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ("Conv1D", "data_format"): ("channels_last",),
    ("Conv2DTranspose", "dilation_rate"): (1, [1], [1, 1]),
    ("Conv3DTranspose", "dilation_rate"): (1, [1], [1, 1, 1]),
    ("DepthwiseConv2D", "dilation_rate"): (1, [1], [1, 1]),
    ("GRU", "reset_after"): (False,),
    ("GRUCell", "reset_after"): (False,),
    ("ReLU", "negative_slope"): (0,),
    ("ReLU", "threshold"): (0,),
    **{(name, "groups"): (1,) for name in ("Conv1D", "Conv2D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D")},
    **{(f"Global{kind}Pooling{rank}D", "keepdims"): (False,) for kind in ("Average", "Max") for rank in (1, 2)},
    ("UpSampling2D", "interpolation"): ("nearest",),
}
#: Where a layer stands, and what only changes how fast it runs or how it draws numbers.
WITHOUT_EFFECT = frozenset(
    (
        *("name", "trainable", "dtype", "batch_input_shape", "input_shape", "batch_size", "input_dtype", "ragged"),
        *("sparse", "implementation", "time_major", "seed", "noise_shape", "input_length", "fused", "rank", "weights"),
        *("virtual_batch_size", "renorm_clipping", "renorm_momentum", "experimental_autocast", "backward_layer"),
        "num_constants",
    )
)


#: Options that Keras 2 writes and never asks for: these layers have kernels of other names.
UNUSED = frozenset({("SeparableConv1D", "kernel_initializer"), ("SeparableConv2D", "kernel_initializer")})


def activation_of(name: str, value: Any) -> Any:
    """Return an activation as Keras takes it."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        value = value.get("class_name", value)
    spelled = snake_case(str(value))
    if spelled == "hard_sigmoid":
        return hard_sigmoid  # of TF.js and Keras 2: 0.2 x + 0.5
    if spelled not in {*TFJS_ACTIVATIONS.values(), "silu"}:  # which Keras 2 writes
        raise refused(name, f"its activation '{value}' is none that TF.js has")
    return spelled


#: tfjs's class of an initializer, where Keras spells it otherwise.
_INITIALIZERS: Mapping[str, str] = {
    "LeCunNormal": "LecunNormal",
    "LeCunUniform": "LecunUniform",
    "Orthogonal": "OrthogonalInitializer",
}


def object_of(name: str, option: str, value: Any, module: Any) -> Any:
    """Return an initializer, a regularizer or a constraint."""
    if value is None or isinstance(value, str):
        return value
    class_name = _INITIALIZERS.get(value["class_name"], value["class_name"])
    found = getattr(module, class_name, None)
    if found is None:
        raise refused(name, f"its {option} is a '{class_name}', which Keras does not have")
    known = inspect.signature(found.__init__).parameters
    given = {snake_case(key): item for key, item in (value.get("config") or {}).items()}
    if given.get("distribution") == "normal":  # of Keras before 2.2.3, and TF.js
        given["distribution"] = "untruncated_normal"
    return found(**{key: item for key, item in given.items() if key in known and item is not None})


def snake_case(key: str) -> str:
    """Return a key as Keras spells it; TF.js's own files have them so already."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def refused(name: str, reason: str) -> UnsupportedModelError:
    """Return the error that says why a layer cannot come back."""
    return UnsupportedModelError(f"Layer '{name}' cannot become a Keras layer: {reason}.", stage="layers", node=name)
