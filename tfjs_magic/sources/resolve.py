"""Find out what the user handed us."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.paths import Kind, is_handle, kind_of, place_of
from tfjs_magic.sources.source import Source

_EXPECTED = (
    "expected a Keras model, or the path of a SavedModel directory or its .tar.gz, or of a .keras, .h5, frozen .pb or "
    "model.json file"
)
#: How a pointer file begins; source: the Git LFS specification, ``docs/spec.md``.
_LFS = b"version https://git-lfs"


def resolve(source: object, options: ConvertOptions) -> Source:
    """Make a source ready for conversion.

    Raises:
        UnsupportedModelError: It is no model, is not built, or the path leads to none.
    """
    if isinstance(source, (str, os.PathLike)):
        return _from_path(source, options)
    for is_one, reader in _IN_MEMORY:
        if is_one(source):
            return _read(reader, source, options)
    name = f"{type(source).__module__}.{type(source).__qualname__}"
    if _is_keras_layer(source):
        raise UnsupportedModelError(
            f"A Keras layer ({name}) is no model: it does not say what its inputs are. Wrap it: "
            "keras.Sequential([keras.Input(shape), layer])."
        )
    raise UnsupportedModelError(
        f"An object of type {name} is no model; expected a Keras model, a tf.function, a tf.Module, or a path."
    )


def _from_path(path: str | os.PathLike[str], options: ConvertOptions) -> Source:
    place = place_of(path)
    if (kind := kind_of(path)) is not None:
        _refuse_pointer(place)
        return _read(_AT_PATHS[kind], path if is_handle(path) else place, options)
    if not place.exists():
        raise UnsupportedModelError(f"'{place}' does not exist; {_EXPECTED}.")
    if place.is_dir():
        raise UnsupportedModelError(
            f"The directory '{place}' holds no saved_model.pb, so it is no SavedModel; {_EXPECTED}."
        )
    raise UnsupportedModelError(f"The file '{place}' is of no kind that can be converted; {_EXPECTED}.")


def _refuse_pointer(place: Path) -> None:
    """Refuse what git leaves in the place of a file that Git LFS keeps."""
    if place.is_file():
        with place.open("rb") as file:
            if file.read(len(_LFS)) == _LFS:
                raise UnsupportedModelError(
                    f"'{place}' is a Git LFS pointer, not the file itself; run 'git lfs pull' in its repository."
                )


def _read(reader: str, source: object, options: ConvertOptions) -> Source:
    """Call a reader, whose module is imported only now: most of them import TensorFlow."""
    module, _, function = reader.partition(":")
    read: Callable[[object, ConvertOptions], Source] = getattr(
        importlib.import_module(f"tfjs_magic.sources.{module}"), function
    )
    return read(source, options)


def _is_keras_model(source: object) -> bool:
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(source, keras.Model)


def _is_tf_keras_model(source: object) -> bool:
    tf_keras = sys.modules.get("tf_keras")
    return tf_keras is not None and isinstance(source, tf_keras.Model)


def _is_keras_layer(source: object) -> bool:
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
    if tf is None or _is_keras_layer(source):
        return False
    return isinstance(source, (tf.Module, tf.__internal__.tracking.AutoTrackable))


#: What a source in memory is → "module:function" that makes it ready; the first that applies.
_IN_MEMORY: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (lambda source: isinstance(source, Artifacts), "tfjs_graph:tfjs_source"),
    (_is_keras_model, "keras:keras_source"),
    (_is_tf_keras_model, "tf_keras:tf_keras_source"),
    (_is_function, "function:function_source"),
    (_is_module, "function:module_source"),
)
#: What lies at a path → likewise.
_AT_PATHS: Mapping[Kind, str] = {
    "Keras file": "keras_file:keras_file_source",
    "SavedModel": "saved_model:saved_model_source",
    "TF Hub module": "hub:hub_source",
    "frozen graph": "v1.frozen_graph:frozen_graph_source",
    "TensorFlow.js model": "tfjs_graph:tfjs_file_source",
}
