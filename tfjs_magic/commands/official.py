"""What ``tensorflowjs_converter`` 4.22 calls the formats that it reads and writes."""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.sources.paths import Kind

#: The official input formats and what each may become; the first is its default.
PAIRS: Mapping[str, tuple[str, ...]] = {
    "keras": ("tfjs_layers_model", "tfjs_graph_model"),
    "keras_keras": ("tfjs_layers_model", "tfjs_graph_model"),
    "keras_saved_model": ("tfjs_layers_model", "tfjs_graph_model"),
    "tf_saved_model": ("tfjs_graph_model",),
    "tf_hub": ("tfjs_graph_model",),
    "tf_frozen_model": ("tfjs_graph_model",),
    "tfjs_layers_model": ("keras", "keras_keras", "keras_saved_model", "tfjs_layers_model", "tfjs_graph_model"),
}
TFJS_FORMATS = {"tfjs_layers_model": "layers", "tfjs_graph_model": "graph"}
OUTPUT_FORMATS = (*TFJS_FORMATS, "keras", "keras_keras", "keras_saved_model")
#: What a path holds → the official formats that mean it.
KINDS: Mapping[Kind, tuple[str, ...]] = {
    "Keras file": ("keras", "keras_keras"),
    "SavedModel": ("keras_saved_model", "tf_saved_model", "tf_hub"),
    "TF Hub module": ("tf_hub",),
    "frozen graph": ("tf_frozen_model",),
    "TensorFlow.js model": ("tfjs_layers_model",),
}
#: Flags that only a SavedModel has, by argument.
OF_SAVED_MODELS = {"signature": "--signature_name", "tags": "--saved_model_tags"}
SAVED_MODELS = ("tf_saved_model", "keras_saved_model", "tf_hub")
