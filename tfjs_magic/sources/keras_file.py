"""``.keras`` and ``.h5`` files of Keras 3 and, with the package ``tf_keras``, of Keras 2."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import tempfile  # noqa: TID251 - Keras goes by the file's name; a link with the right one is removed at once
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.hdf5 import check_archive, check_hdf5, read_member
from tfjs_magic.sources.keras_config import needing_trust, refuse_untrusted
from tfjs_magic.sources.keras_wiring import check_wiring
from tfjs_magic.sources.paths import KERAS_METADATA
from tfjs_magic.sources.sizes import MOST_TEXT_BYTES, parse_json, read_bytes
from tfjs_magic.sources.source import FunctionSource, KerasSource

_Suffix = Literal[".keras", ".h5"]


def keras_file_source(path: Path, options: ConvertOptions) -> KerasSource | FunctionSource:
    """Load a whole-model file, whatever its name; nothing that brings code along unless ``options.trust``.

    What only Keras 2 can read is left to ``tf_keras``, if it is installed.

    Raises:
        UnsupportedModelError: It holds no model, or needs trust; or Keras cannot load it, for a reason of its own.
    """
    suffix = _content(path)
    version, config = _described(path, suffix)
    compiled = config.pop("compile_config", None)
    try:
        refuse_untrusted(str(path), config, trust=options.trust)
    except UnsupportedModelError:
        _refuse_operations(path, suffix, version, config)
        raise
    check_wiring(str(path), config)
    elements = check_archive(path) if suffix == ".keras" else check_hdf5(path, str(path))
    import keras  # noqa: PLC0415 - what is damaged is said without it

    from tfjs_magic.layers.tfjs_functions import register  # noqa: PLC0415
    from tfjs_magic.layers.weight_budget import weights_within  # noqa: PLC0415
    from tfjs_magic.sources.keras import keras_source  # noqa: PLC0415

    _check_version(keras.__version__, path, options)
    register()  # what to_keras() may have put into the file

    try:
        with _named(path, suffix) as file, weights_within(keras.layers.Layer, elements):
            model = keras.saving.load_model(file, compile=False, safe_mode=not options.trust)
    except UnsupportedModelError:
        raise
    except Exception as error:  # Keras raises whatever the file provokes
        reason = reason_of(error)
        if version.startswith("2."):
            refuse_untrusted(str(path), config, trust=options.trust, package="tf_keras")
            return _of_keras_2(path, suffix, elements, options, version=version, reason=reason)
        _refuse_operations(path, suffix, version, config)
        raise UnsupportedModelError(f"Keras cannot load '{path}': {type(error).__name__}: {reason}.") from error
    _check_model(path, model, keras.Model)
    if options.trust or not any(needing_trust(compiled)):
        _compile(model, compiled, safe_mode=not options.trust)
    return keras_source(model, options)


def _refuse_operations(path: Path, suffix: _Suffix, version: str, config: Any) -> None:
    """Refuse an ``.h5`` file that Keras wrote but cannot read: it does not say of which module its classes are."""
    import keras  # noqa: PLC0415 - as below

    known = {name.replace("_", "") for name in (*dir(keras.ops), *dir(keras.ops.image))}
    names = {name for name in _operations(config) if name.lower() in known}
    if suffix == ".h5" and version.startswith("3.") and names:
        raise UnsupportedModelError(
            f"'{path}' holds {quoted_list(names)}, operations of keras.ops (or operators, such as x + 1), which Keras "
            "cannot load from an HDF5 file. Save the model as a .keras file and convert that."
        )


def _operations(config: Any) -> Iterator[str]:
    """Yield the classes of nodes that have no options of a layer."""
    if isinstance(config, list):
        for value in config:
            yield from _operations(value)
    elif isinstance(config, dict):
        options = config.get("config")
        if "inbound_nodes" in config and isinstance(options, dict) and not {"trainable", "dtype"} & options.keys():
            yield str(config.get("class_name"))
        yield from _operations([*config.values()])


def _check_version(version: str, path: Path, options: ConvertOptions) -> None:
    """Refuse a Keras whose safe mode lets files run code or read other files.

    Source: Keras's advisories GHSA-36fq-jgmw-4r9c (3.11.3), CVE-2025-12058 (3.12.0), CVE-2026-0897, -1462 and -1669
    (3.12.1 and 3.13.2).
    """
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if not options.trust and (numbers < (3, 12, 1) or (3, 13) <= numbers < (3, 13, 2)):
        raise UnsupportedModelError(
            f"'{path}' would be loaded by Keras {version}, which may let a file run code or read other files. Install "
            "a later one: pip install 'keras>=3.12.1,!=3.13.0,!=3.13.1'. If you trust the file, pass trust=True."
        )


def _check_model(path: Path, model: Any, kind: type) -> None:
    if not isinstance(model, kind):
        raise UnsupportedModelError(f"'{path}' holds a {type(model).__name__}, no model; expected a whole model.")


def _content(path: Path) -> _Suffix:
    """Return the suffix that the content should have; Keras 3 would say that a misnamed file was not found."""
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK"):
        return ".keras"
    if start == b"\x89HDF\r\n\x1a\n":
        return ".h5"
    raise UnsupportedModelError(f"'{path}' is damaged or no Keras file: it holds neither a zip archive nor HDF5.")


def _compile(model: Any, config: Any, *, safe_mode: bool) -> None:
    """Compile a model as its file says, so that its loss and optimizer travel along; what cannot be read is left out.

    Keras would do it while it loads, and make room for the optimizer's state, twice the weights for Adam.
    """
    import keras  # noqa: PLC0415

    if config:
        with contextlib.suppress(Exception):  # a loss of the user's own, an optimizer of another package
            model.compile(**keras.saving.deserialize_keras_object(config, safe_mode=safe_mode))


def _described(path: Path, suffix: _Suffix) -> tuple[str, dict[str, Any]]:
    """Return the version of the Keras that wrote it, and the model's config.

    Raises:
        UnsupportedModelError: It is damaged, or holds weights alone.
    """
    try:
        version, text = (_from_zip if suffix == ".keras" else _from_hdf5)(path)
    except UnsupportedModelError:
        raise
    except Exception as error:  # zipfile, h5py and json raise whatever the file provokes
        raise UnsupportedModelError(f"'{path}' is damaged: {reason_of(error)}.") from error
    if text is None:
        raise UnsupportedModelError(
            f"'{path}' holds weights alone, no model. Build the model, call model.load_weights('{path.name}'), and "
            "convert the model."
        )
    config = parse_json(text, str(path)) if isinstance(text, (str, bytes)) else None
    if not isinstance(config, dict):
        raise UnsupportedModelError(f"'{path}' is damaged: its config is no description of a model.")
    return version, config


def _from_zip(path: Path) -> tuple[str, Any]:
    with zipfile.ZipFile(path) as archive:
        found = {
            name: read_member(path, archive.getinfo(name), most=MOST_TEXT_BYTES)
            for name in ("metadata.json", "config.json")
            if name in archive.namelist()
        }
    metadata = parse_json(found["metadata.json"], f"{path}/metadata.json") if "metadata.json" in found else {}
    config = found.get("config.json")
    return str(metadata.get("keras_version", "")), config


def _from_hdf5(path: Path) -> tuple[str, Any]:
    import h5py  # type: ignore[import-untyped]  # noqa: PLC0415 - Keras brings it along

    with h5py.File(path) as file:
        version = file.attrs.get("keras_version", "")
        return version.decode() if isinstance(version, bytes) else str(version), file.attrs.get("model_config")


@contextlib.contextmanager
def _named(path: Path, suffix: str) -> Iterator[Path]:
    """Yield the file under a name that Keras goes by, without touching what is beside it."""
    if path.suffix == suffix:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="tfjs_magic_") as directory:
        link = Path(directory) / f"model{suffix}"
        try:
            link.symlink_to(path.resolve())
        except OSError:  # Windows, without the right to make links
            shutil.copyfile(path, link)
        yield link


# ---------------------------------------------------------------------- Keras 2


def keras_2_saved_model_source(path: Path, options: ConvertOptions) -> FunctionSource | KerasSource:
    """Load a SavedModel that Keras 2 wrote with what it knows of its layers.

    Raises:
        UnsupportedModelError: ``tf_keras`` is not there or cannot load it, or it brings code along.
    """
    _require_tf_keras(f"'{path}' holds the layers of Keras 2.")
    from tf_keras.protobuf import saved_metadata_pb2  # noqa: PLC0415 - an extra

    metadata = saved_metadata_pb2.SavedMetadata()
    try:
        metadata.ParseFromString(read_bytes(path / KERAS_METADATA))
        config = [_without_training(node.metadata, str(path)) for node in metadata.nodes if node.metadata]
    except UnsupportedModelError:
        raise
    except Exception as error:  # protobuf and json raise whatever the file provokes
        raise UnsupportedModelError(f"'{path / KERAS_METADATA}' is damaged: {reason_of(error)}.") from error
    refuse_untrusted(str(path), config, trust=options.trust, package="tf_keras", file="SavedModel")
    check_wiring(str(path), config)
    elements = sum(file.stat().st_size for file in (path / "variables").glob("*"))
    return _loaded_by_keras_2(path, path, elements, options, "which Keras 2 wrote")


def _without_training(text: str, what: str) -> Any:
    """Return what is said of a layer, without the losses and metrics that are not loaded: they may be anybody's."""
    found = parse_json(text, f"{what}/{KERAS_METADATA}")
    return {key: row for key, row in found.items() if key != "training_config"} if isinstance(found, dict) else found


def _of_keras_2(
    path: Path, suffix: _Suffix, elements: int, options: ConvertOptions, *, version: str, reason: str
) -> FunctionSource | KerasSource:
    _require_tf_keras(f"Keras 3 cannot load '{path}', which Keras {version} wrote: {reason}.")
    with _named(path, suffix) as file:
        return _loaded_by_keras_2(path, file, elements, options, f"which Keras {version} wrote")


def _require_tf_keras(problem: str) -> None:
    if importlib.util.find_spec("tf_keras") is None:
        raise UnsupportedModelError(f"{problem} tfjs_magic reads it with tf_keras: pip install 'tfjs-magic[keras2]'.")


def _loaded_by_keras_2(
    path: Path, file: Path, elements: int, options: ConvertOptions, writer: str
) -> FunctionSource | KerasSource:
    import tf_keras  # noqa: PLC0415 - an extra

    from tfjs_magic.layers.weight_budget import weights_within  # noqa: PLC0415
    from tfjs_magic.sources.tf_keras import tf_keras_source  # noqa: PLC0415

    try:
        with weights_within(tf_keras.layers.Layer, elements):
            model = tf_keras.models.load_model(file, compile=False, safe_mode=not options.trust)
    except UnsupportedModelError:
        raise
    except Exception as error:  # Keras raises whatever the file provokes
        msg = f"tf_keras cannot load '{path}', {writer}: {type(error).__name__}: {reason_of(error)}."
        raise UnsupportedModelError(msg) from error
    _check_model(path, model, tf_keras.Model)
    return tf_keras_source(model, options)
