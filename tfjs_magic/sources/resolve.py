"""Find out what the user handed us."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from tfjs_magic.artifacts import TfjsModel
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.kinds import Source

_EXPECTED = (
    "expected a Keras model, or the path of a SavedModel directory or its .tar.gz, or of a .keras, .h5, frozen .pb or "
    "model.json file"
)


#: A TF Hub handle. Without encryption only from this very machine.
_HANDLE = re.compile(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]")


def resolve(source: object, options: ConvertOptions) -> Source:
    """Make a source ready for conversion.

    Raises:
        UnsupportedModelError: It is no model, is not built, or the path leads to none.
    """
    if isinstance(source, str) and _HANDLE.match(source):
        from tfjs_magic.sources.hub import handle_source  # noqa: PLC0415

        return handle_source(source, options)
    if isinstance(source, (str, os.PathLike)):
        return _from_path(Path(source).expanduser(), options)
    return _from_memory(source, options)


def _from_memory(source: object, options: ConvertOptions) -> Source:
    if isinstance(source, TfjsModel):
        from tfjs_magic.sources.tfjs_graph import tfjs_source  # noqa: PLC0415

        return tfjs_source(source, options)
    if _is_keras_model(source):
        from tfjs_magic.sources.keras import keras_source  # noqa: PLC0415 - TensorFlow is imported when it is needed

        return keras_source(source, options)
    if _is_tf_keras_model(source):
        from tfjs_magic.sources.tf_keras import tf_keras_source  # noqa: PLC0415

        return tf_keras_source(source, options)
    if _is_function(source):
        from tfjs_magic.sources.function import function_source  # noqa: PLC0415

        return function_source(source, options)
    return _from_module(source, options)


def _from_module(source: object, options: ConvertOptions) -> Source:
    name = f"{type(source).__module__}.{type(source).__qualname__}"
    if _is_keras_layer(source):
        raise UnsupportedModelError(
            f"A Keras layer ({name}) is no model: it does not say what its inputs are. Wrap it: "
            "keras.Sequential([keras.Input(shape), layer])."
        )
    if _is_module(source):
        from tfjs_magic.sources.function import module_source  # noqa: PLC0415

        return module_source(source, options)
    raise UnsupportedModelError(
        f"An object of type {name} is no model; expected a Keras model, a tf.function, a tf.Module, or a path."
    )


def _from_path(path: Path, options: ConvertOptions) -> Source:
    if not path.exists():
        raise UnsupportedModelError(f"'{path}' does not exist; {_EXPECTED}.")
    if path.is_dir():
        if (path / "model.json").is_file():
            from tfjs_magic.sources.tfjs_graph import tfjs_file_source  # noqa: PLC0415

            return tfjs_file_source(path, options)
        from tfjs_magic.sources.saved_model import saved_model_source  # noqa: PLC0415

        return saved_model_source(_saved_model(path), options)
    if path.suffix == ".json":
        from tfjs_magic.sources.tfjs_graph import tfjs_file_source  # noqa: PLC0415

        return tfjs_file_source(path, options)
    if path.suffix in {".keras", ".h5", ".hdf5"}:
        from tfjs_magic.sources.keras_file import keras_file_source  # noqa: PLC0415

        return keras_file_source(path, options)
    if path.suffix == ".pb":
        from tfjs_magic.sources.frozen_graph import frozen_graph_source  # noqa: PLC0415

        return frozen_graph_source(path, options)
    if path.name.endswith((".tar.gz", ".tgz")):
        from tfjs_magic.sources.hub import archive_source  # noqa: PLC0415

        return archive_source(path, options)
    raise UnsupportedModelError(f"The file '{path}' is of no kind that can be converted; {_EXPECTED}.")


def _saved_model(path: Path) -> Path:
    """Return the directory itself, or the newest of its version folders, as TensorFlow Serving lays them out."""
    if _is_saved_model(path):
        return path
    versions = [folder for folder in path.iterdir() if folder.name.isdigit() and _is_saved_model(folder)]
    if not versions:
        raise UnsupportedModelError(
            f"The directory '{path}' holds no saved_model.pb, so it is no SavedModel; {_EXPECTED}."
        )
    return max(versions, key=lambda folder: int(folder.name))


def _is_saved_model(path: Path) -> bool:
    return any((path / name).is_file() for name in ("saved_model.pb", "saved_model.pbtxt"))


def _is_keras_model(source: object) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(source, keras.Model)


def _is_tf_keras_model(source: Any) -> bool:
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(source, tf_keras.Model)


def _is_keras_layer(source: Any) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(source, keras.layers.Layer)


def _is_function(source: object) -> bool:
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return False
    kinds = tf.types.experimental
    return isinstance(source, (kinds.PolymorphicFunction, kinds.ConcreteFunction))


def _is_module(source: object) -> bool:
    """Tell a ``tf.Module``, or what ``tf.saved_model.load`` gives."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and isinstance(source, (tf.Module, tf.__internal__.tracking.AutoTrackable))
