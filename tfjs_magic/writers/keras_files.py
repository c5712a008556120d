"""Write a Keras model, built from a TF.js layers model, as the files that Keras reads: whole or not at all."""

from __future__ import annotations

import functools
import inspect
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfjs_magic.errors import SaveError, quoted_list, reason_of
from tfjs_magic.writers.staging import remove_leftovers, staged, staged_within, undo_moves, writable

KerasFormat = Literal["keras", "keras_keras", "keras_saved_model"]
_SAVED_MODEL = "saved_model.pb"
#: Source: ``tensorflow/python/saved_model/path_helpers.py``, and Keras 2's ``keras_metadata.pb``.
_PARTS = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|assets(/.*)?|variables(/variables\.(index|data-\d+-of-\d+))?"
    r"|debug(/saved_model_debug_info\.pb)?"
)
_SUFFIXES = {"keras": ".h5", "keras_keras": ".keras", "keras_saved_model": ""}


def check_keras_target(path: str | Path, keras_format: KerasFormat, *, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written: absent, empty, or what may be replaced and nothing else.

    Raises:
        SaveError: It exists, and may not be overwritten, or is another thing than the format is, or holds others.
    """
    target = writable(path)
    remove_leftovers(target.parent, target.name)
    if target.is_dir():
        remove_leftovers(target, _SAVED_MODEL, functools.partial(undo_moves, last=_SAVED_MODEL))
    if not target.exists() or (keras_format == "keras_saved_model" and _is_empty(target)):
        return target
    if target.is_dir() != (keras_format == "keras_saved_model"):
        found, expected = ("directory", "file") if target.is_dir() else ("file", "directory")
        raise SaveError(f"'{target}' is a {found}, {keras_format} makes a {expected}. Choose another path.")
    if not overwrite:
        raise SaveError(f"'{target}' exists. Choose another path, or pass --overwrite.")
    if target.is_dir() and not (target / _SAVED_MODEL).is_file():
        raise SaveError(f"'{target}' is a directory that holds no SavedModel and would be lost. Choose another path.")
    if target.is_dir() and (others := [*_others(target)]):
        raise SaveError(
            f"'{target}' holds {quoted_list(others)} beside a SavedModel, which would be lost. Choose another path."
        )
    return target


def _is_empty(target: Path) -> bool:
    return target.is_dir() and not any(target.iterdir())


def _others(target: Path) -> Iterator[str]:
    """Yield what is in a directory and no part of a SavedModel."""
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if not _PARTS.fullmatch(name):
            yield name


def write_keras(
    model: Any, path: str | Path, keras_format: KerasFormat, *, overwrite: bool = False, older: Any = None
) -> Path:
    """Write a Keras 3 model; return the absolute path.

    Args:
        model: What ``to_keras`` gave.
        path: The file, or the directory of a SavedModel.
        keras_format: "keras" for legacy HDF5, "keras_keras" for ``.keras``, "keras_saved_model" for a SavedModel to
            serve (``model.export``).
        overwrite: Replace what is there.
        older: The same model of Keras 2, whose HDF5 is written if Keras 3 reads it alike: then both do.

    Raises:
        SaveError: See :func:`check_keras_target`; or Keras cannot write it.
    """
    target = check_keras_target(path, keras_format, overwrite=overwrite)
    within = target.is_dir() and _is_empty(target)
    with staged_within(target, _SAVED_MODEL) if within else staged(target, suffix=_SUFFIXES[keras_format]) as place:
        try:
            if keras_format == "keras_saved_model":
                model.export(str(place), verbose=False)
            elif older is None or not _written_for_both(older, model, place):
                model.save(place)
        except OSError:
            raise
        except Exception as error:  # whatever Keras says
            msg = f"'{target}' was not written: {reason_of(error)}. What was there before is unchanged."
            raise SaveError(msg) from error
    return target


def _written_for_both(older: Any, model: Any, path: Path) -> bool:
    """Write a file of Keras 2, and tell whether Keras 3 reads the same model from it."""
    import keras  # noqa: PLC0415 - heavy

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras 2 calls the format legacy
            older.save(path)
            _leave_defaults_out(path)
            return _compute_alike(model, keras.models.load_model(path, compile=False))
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - whatever Keras says of an option, or of numbers that a model does not take
        return False


def _compute_alike(model: Any, other: Any) -> bool:
    """Run both on two examples; an unknown side gets 32."""
    rng = np.random.default_rng(0)
    shapes = [(tensor.shape[0] or 2, *(side or 32 for side in tensor.shape[1:])) for tensor in model.inputs]
    drawn = [
        rng.uniform(0, 2, shape).astype(str(tensor.dtype)) for shape, tensor in zip(shapes, model.inputs, strict=True)
    ]
    results = [one(drawn if len(drawn) > 1 else drawn[0], training=False) for one in (model, other)]
    pairs = zip(*(one if isinstance(one, (list, tuple)) else [one] for one in results), strict=True)
    return all(np.allclose(one, other, rtol=1e-4, atol=1e-5) for one, other in pairs)


def _leave_defaults_out(path: Path) -> None:
    """Take options that Keras 3 does not have any more out of a file of Keras 2, where they have their defaults."""
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415 - Keras brings it along

    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(_without_defaults(json.loads(file.attrs["model_config"])))


def _without_defaults(entry: Any) -> Any:
    if isinstance(entry, list):
        return [_without_defaults(one) for one in entry]
    if not isinstance(entry, Mapping):
        return entry
    found = {key: _without_defaults(value) for key, value in entry.items()}
    if isinstance(found.get("config"), Mapping):
        config = {k: v for k, v in found["config"].items() if not _is_old_default(found["class_name"], k, v)}
        for ends in ("input_layers", "output_layers"):
            if len(config.get(ends, ())) == 1:  # Keras 3 would take a list of one for a list of inputs
                (config[ends],) = config[ends]
        found["config"] = config
    return found


def _is_old_default(class_name: str, key: str, value: Any) -> bool:
    """Whether an option of a layer is one that Keras 3 would refuse, and says nothing."""
    import keras  # noqa: PLC0415 - heavy
    import tf_keras  # noqa: PLC0415 - an extra

    new, old = getattr(keras.layers, class_name, None), getattr(tf_keras.layers, class_name, None)
    if new is None or old is None or key in _OF_EVERY_LAYER or key in inspect.signature(new.__init__).parameters:
        return False
    if (class_name, key) in _UNUSED:
        return True
    default = inspect.signature(old.__init__).parameters.get(key)
    return value in (None, False, 1) if default is None else bool(value == default.default)


_OF_EVERY_LAYER = frozenset({"name", "trainable", "dtype", "batch_input_shape"})
#: What Keras 2 writes and never asks for: these layers have kernels of other names.
_UNUSED = frozenset({("SeparableConv1D", "kernel_initializer"), ("SeparableConv2D", "kernel_initializer")})
