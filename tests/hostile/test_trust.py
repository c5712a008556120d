"""Without trust no file runs code, reads another file or writes one: what was tried by hand, kind by kind."""

from __future__ import annotations

import base64
import importlib
import inspect
import io
import json
import marshal
import os
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import op_def_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.client import pywrap_tf_session

from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.graph_check import check_structure, refuse_touching
from tfjs_magic.sources.graph_ops import AT_IMPORT, AT_LOAD, FROM_FILE, touches
from tfjs_magic.sources.keras_config import _is_pure, needing_trust
from tfjs_magic.sources.keras_file import _check_version

h5py = pytest.importorskip("h5py")

INPUT = {
    "class_name": "InputLayer",
    "config": {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "name": "x"},
    "name": "x",
    "inbound_nodes": [],
}
CODE = base64.b64encode(marshal.dumps((lambda x: x).__code__)).decode()


def _model(*layers: dict[str, Any]) -> dict[str, Any]:
    """The config of Keras 2 for an input, these layers, and the last of them as output."""
    layers = ({**INPUT}, _layer("Activation", "act", activation="relu"), *layers)
    config = {"name": "m", "layers": list(layers), "input_layers": [["x", 0, 0]], "output_layers": [["act", 0, 0]]}
    return {"class_name": "Functional", "config": config}


def _layer(class_name: str, name: str, **options: Any) -> dict[str, Any]:
    config = {"name": name, "trainable": True, "dtype": "float32", **options}
    return {"class_name": class_name, "config": config, "name": name, "inbound_nodes": [[["x", 0, 0, {}]]]}


def _called(function: str, *path: str, **keywords: str) -> dict[str, Any]:
    """A layer of Keras 2 that calls a function of TensorFlow with constants."""
    row = _layer("TFOpLambda", "evil", function=function)
    row["inbound_nodes"] = [["_CONSTANT_VALUE", -1, *path, keywords]]
    return row


def _write_h5(path: Path, config: Any, version: str = "2.15.0") -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version, "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        group = file.create_group("model_weights")
        inner = config["config"]
        names = [row["config"]["name"] for row in inner.get("layers", [])] if isinstance(inner, dict) else []
        group.attrs["layer_names"] = np.array([name.encode() for name in names] or [], "S")
        for name in names:
            group.create_group(name).attrs["weight_names"] = np.array([], "S1")
    return path


def _write_keras(path: Path, config: Any, version: str = "2.15.0") -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_group("_layer_checkpoint_dependencies")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def _refused(path: Path, match: str) -> None:
    with pytest.raises(UnsupportedModelError, match=match) as caught:
        convert(path)
    assert "\n" not in str(caught.value)
    assert "pass trust=True" in str(caught.value)


# ---------------------------------------------------------------------- Keras files

CALLS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "load_op_library": lambda here: _called("load_op_library", str(here / "evil.so")),
    "io.gfile.remove": lambda here: _called("io.gfile.remove", str(here / "victim")),
    "io.gfile.copy": lambda here: _called("io.gfile.copy", str(here / "victim"), dst=str(here / "copied")),
    "io.write_file": lambda here: _called("io.write_file", str(here / "written"), contents="evil"),
    "numpy_function": lambda here: _called("numpy_function", str(here)),
    "compat.v1.py_func": lambda here: _called("compat.v1.py_func", str(here)),
    "saved_model.load": lambda here: _called("saved_model.load", str(here)),
    "math.__class__": lambda here: _called("math.__class__", str(here)),
    "keras.activations.deserialize": lambda here: _called("keras.activations.deserialize", str(here)),
    "nn.fixed_unigram_candidate_sampler": lambda here: _called(
        "nn.fixed_unigram_candidate_sampler", vocab_file=str(here / "victim")
    ),
}


@pytest.mark.parametrize("write", [_write_h5, _write_keras])
@pytest.mark.parametrize("function", CALLS)
def test_a_function_of_tensorflow_is_not_called(tmp_path: Path, function: str, write: Any) -> None:
    pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
    (tmp_path / "victim").write_text("precious")
    before = sorted(path.name for path in tmp_path.iterdir())
    name = "m.h5" if write is _write_h5 else "m.keras"
    _refused(write(tmp_path / name, _model(CALLS[function](tmp_path))), f"the function '{function}' of layer 'evil'")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, name])


OBJECTS: dict[str, dict[str, Any]] = {
    "the class 'Thing' of module 'evil_module'": {"class_name": "Thing", "module": "evil_module", "config": {}},
    "the function 'relu' of module 'evil_module'": {
        "class_name": "function", "module": "evil_module", "config": "relu", "registered_name": "function",
    },
    "the function 'exec' of module 'builtins'": {
        "class_name": "function", "module": "builtins", "config": "exec", "registered_name": "function",
    },
    "the function 'system' of module 'os'": {
        "class_name": "function", "module": "os", "config": "system", "registered_name": "tfjs_magic>hard_sigmoid",
    },
    "the function 'relu' of module 'keras.losses'": {  # Keras 2 would take the one that is registered
        "class_name": "function", "module": "keras.losses", "config": "relu", "registered_name": "deserialize",
    },
    "the function 'get' of module 'keras.activations'": {
        "class_name": "function", "module": "keras.activations", "config": "get", "registered_name": "function",
    },
    "the class 'Dense' of module 'keras.layers'": {
        "class_name": "Dense", "module": "keras.layers", "registered_name": "TFOpLambda", "config": {},
    },
    "the class 'TensorSpec' of module 'tensorflow.lite'": {
        "class_name": "__typespec__", "spec_name": "TensorSpec", "module": "tensorflow.lite", "config": [],
        "registered_name": "Interpreter",
    },
    "the class 'Thing' of module 'evil_module' inside": {
        "module": "keras", "training_config": {"class_name": "Thing", "module": "evil_module", "config": {}},
    },
    "a Python lambda": {"class_name": "__lambda__", "config": {"value": [CODE, None, None]}},
    "the class 'Keras>Lambda'": {"class_name": "Keras>Lambda", "config": {}},
    "the class 'InstanceMethod'": {"class_name": "InstanceMethod", "config": {"method_name": "numpy"}},
    "the class 'ClassMethod'": {"class_name": "ClassMethod", "config": {"cls_symbol": "io.gfile.GFile"}},
    "the class 'TFSMLayer' of module 'keras.layers'": {
        "class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": "/etc"},
    },
    "the class 'DenseFeatures'": {"class_name": "DenseFeatures", "config": {}},
    "the vocabulary file '/etc/passwd'": {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
    "the op 'WriteFile' of layer 'o'": {
        "class_name": "TensorFlowOpLayer", "config": {"name": "o", "node_def": {"op": "WriteFile"}},
    },
    "the Lambda layer 'l'": {"class_name": "Lambda", "config": {"name": "l", "function": [CODE, None, None]}},
    "the class 'Thing' of module 'evil_module', the": {
        "class_name": "Thing", "module": "evil_module", "registered_name": "Thing",
        "config": {"inner": {"class_name": "Lambda", "config": {"name": "l"}}},
    },
}  # fmt: skip


@pytest.mark.parametrize("version", ["2.15.0", "3.15.0"])
@pytest.mark.parametrize("write", [_write_h5, _write_keras])
@pytest.mark.parametrize("phrase", OBJECTS)
def test_an_object_that_needs_trust_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phrase: str, write: Any, version: str
) -> None:
    """As an activation of a layer, and as the whole."""
    (tmp_path / "evil_module.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\ndef relu(x): return x\n")
    monkeypatch.syspath_prepend(tmp_path)
    suffix = "h5" if write is _write_h5 else "keras"
    config = _model(_layer("Activation", "a", activation=OBJECTS[phrase]))
    named = phrase.removesuffix(" inside")
    _refused(write(tmp_path / f"m.{suffix}", config, version), named)
    if "config" in OBJECTS[phrase]:
        _refused(write(tmp_path / f"whole.{suffix}", OBJECTS[phrase], version), named)
    assert "evil_module" not in sys.modules
    assert not (tmp_path / "imported").exists()


def test_all_that_needs_trust_is_named_at_once() -> None:
    config = _model(_called("io.write_file", "p"), _layer("Lambda", "l"), _layer("Activation", "b", activation={
        "class_name": "function", "module": "os", "config": "system"}))  # fmt: skip
    assert len([*needing_trust(config)]) == 3
    assert [*needing_trust(_model())] == []


def test_no_function_that_needs_no_trust_takes_a_file_or_a_function() -> None:
    words = re.compile(r"(.*_)?(file|filename|path|fn|func|function|op|url|address|library)")
    for module in "bitwise dtypes image linalg math nn quantization ragged signal sparse strings".split():
        for root in (tf, tf.compat.v1):
            for name, function in vars(getattr(root, module, None) or tf.Module()).items():
                if callable(function) and not isinstance(function, type) and _is_pure(f"{module}.{name}"):
                    taken = {key for key in inspect.signature(function).parameters if words.fullmatch(key)}
                    assert taken <= {"window_fn", "forward_window_fn"}, f"{module}.{name} takes {taken}"


@pytest.mark.parametrize(
    "name", ["convnext>LayerScale", "convnext>StochasticDepth", "inception_resnet_v2>CustomScaleLayer"]
)
def test_layers_of_keras_applications_need_no_trust(name: str) -> None:
    module, _, class_name = name.partition(">")
    config = {"class_name": class_name, "registered_name": class_name, "module": f"keras.src.applications.{module}"}
    assert [*needing_trust(config)] == []
    assert issubclass(getattr(importlib.import_module(config["module"]), class_name), keras.Layer)


@keras.saving.register_keras_serializable(package="tests_trust")
class Doubled(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2


def test_what_the_caller_registered_needs_no_trust(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), Doubled(), keras.layers.Dense(2)])
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        assert convert(tmp_path / name).format == "graph-model"
    config = {"class_name": "Doubled", "registered_name": "tests_trust>Doubled", "module": "evil", "config": {}}
    assert [*needing_trust(config)] == []
    assert [*needing_trust(config, "tf_keras")] == ["the class 'Doubled' of module 'evil'"]  # it would import it


def test_a_loss_of_ones_own_is_left_out(tmp_path: Path) -> None:
    def my_loss(y: Any, p: Any) -> Any:
        return keras.ops.mean(y - p)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", my_loss)
    model.save(tmp_path / "m.keras")
    assert convert(tmp_path / "m.keras").format == "layers-model"


def test_every_class_of_keras_that_computes_is_known() -> None:
    """Those that the list leaves out run code, read files, or are bases of others."""
    out = set()
    for module in (
        keras.layers,
        keras.initializers,
        keras.regularizers,
        keras.constraints,
        keras.losses,
        keras.metrics,
    ):
        for name, value in vars(module).items():
            if isinstance(value, type) and [*needing_trust({"class_name": name, "module": module.__name__})]:
                out.add(name)
    bases = {"Constraint", "Initializer", "Loss", "Metric", "Regularizer", "Reduction"}
    assert out - bases <= {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"}


@pytest.mark.parametrize(
    ("version", "safe"),
    [("3.11.3", False), ("3.12.0", False), ("3.12.1", True), ("3.13.1", False), ("3.13.2", True), ("3.15.1", True)],
)
def test_a_keras_with_known_holes_loads_no_file(version: str, *, safe: bool) -> None:
    _check_version(version, Path("m.keras"), ConvertOptions(trust=True))
    if safe:
        _check_version(version, Path("m.keras"), ConvertOptions())
    else:
        with pytest.raises(UnsupportedModelError, match=rf"by Keras {version}.*pip install.*pass trust=True"):
            _check_version(version, Path("m.keras"), ConvertOptions())


@pytest.mark.parametrize("kind", ["storage", "link", "soft link", "virtual", "size"])
@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
@pytest.mark.parametrize("version", ["2.15.0", "3.15.0"])
def test_weights_lie_in_the_file(tmp_path: Path, kind: str, name: str, version: str) -> None:
    """What Keras 3 refuses must not reach Keras 2, which reads it."""
    (tmp_path / "secret").write_bytes(b"SECRETROOT" * 10)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.save(tmp_path / name)
    if name == "m.h5":
        with h5py.File(tmp_path / name, "r+") as file:
            _bend_kernel(file, kind, tmp_path)
            file.attrs["keras_version"] = version
    else:
        with zipfile.ZipFile(tmp_path / name) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        (tmp_path / "inner.h5").write_bytes(members["model.weights.h5"])
        with h5py.File(tmp_path / "inner.h5", "r+") as file:
            _bend_kernel(file, kind, tmp_path)
        members["model.weights.h5"] = (tmp_path / "inner.h5").read_bytes()
        members["metadata.json"] = json.dumps({"keras_version": version}).encode()
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    with pytest.raises(UnsupportedModelError, match=r"in another file|leads elsewhere|of which the file holds"):
        convert(tmp_path / name)


def _bend_kernel(file: Any, kind: str, directory: Path) -> None:
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if getattr(item, "shape", None) == (4, 3) else None)
    del file[names[0]]
    if kind == "storage":
        file.create_dataset(names[0], (4, 3), "f4", external=[(str(directory / "secret"), 0, 48)])
    elif kind == "link":
        file[names[0]] = h5py.ExternalLink(str(directory / "o.h5"), "/v")
    elif kind == "soft link":
        file[names[0]] = h5py.SoftLink("/elsewhere")
    elif kind == "virtual":
        layout = h5py.VirtualLayout((4, 3), "f4")
        layout[...] = h5py.VirtualSource(str(directory / "o.h5"), "v", (4, 3))
        file.create_virtual_dataset(names[0], layout)
    else:
        file.create_dataset(names[0], (10**6, 10**6), "f4", chunks=(10, 10))


# ---------------------------------------------------------------------- SavedModels and frozen graphs

SPEC = [tf.TensorSpec([None, 4], tf.float32, name="x")]


def _saved(directory: Path, call: Callable[[Any], Any]) -> Path:
    module = tf.Module()
    module.f = tf.function(call, input_signature=SPEC, autograph=False)
    tf.saved_model.save(module, str(directory / "saved"), signatures=module.f)
    return directory / "saved"


def _print(here: Path, x: Any) -> Any:
    tf.print("hello", output_stream=f"file://{here / 'written'}")
    return x


def _write(here: Path, x: Any) -> Any:
    tf.io.write_file(str(here / "written"), "x")
    return x * 2


REACHED: dict[str, Callable[[Path, Any], Any]] = {
    "WriteFile": _write,
    "PrintV2": _print,
    "MatchingFiles": lambda here, x: x + tf.cast(tf.size(tf.raw_ops.MatchingFiles(pattern=str(here / "*"))), x.dtype),
    "ReadFile": lambda here, x: x + tf.cast(tf.strings.length(tf.io.read_file(str(here / "secret"))), x.dtype),
    "EagerPyFunc": lambda _, x: tf.ensure_shape(tf.py_function(lambda v: v, [x], tf.float32), [None, 4]),
    "DebugIdentity": lambda here, x: tf.raw_ops.DebugIdentity(
        input=x, device_name="d", tensor_name="t:0", debug_urls=[f"file://{here / 'written'}"]
    ),
    "RestoreV2": lambda here, x: x + tf.raw_ops.RestoreV2(
        prefix=str(here / "ck"), tensor_names=["v"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0],
}  # fmt: skip


@pytest.mark.parametrize("op", REACHED)
@pytest.mark.parametrize("nested", [False, True])
def test_a_signature_that_touches_the_machine_needs_trust(tmp_path: Path, op: str, *, nested: bool) -> None:
    (tmp_path / "secret").write_text("secret")

    def call(x: Any) -> Any:
        inner = tf.function(lambda v: REACHED[op](tmp_path, v), autograph=False) if nested else None
        return {"y": inner(x) if inner is not None else REACHED[op](tmp_path, x)}

    _refused(_saved(tmp_path, call), rf"in '{op} \({op}\)'|would run '{op} \({op}\)'")
    assert not (tmp_path / "written").exists()


def _printed(x: Any) -> Any:
    tf.print("to stderr")
    return {"y": x * 2}


def test_with_trust_it_is_converted(tmp_path: Path) -> None:
    assert convert(_saved(tmp_path, lambda x: {"y": _write(tmp_path, x)}), trust=True).format == "graph-model"
    assert convert(_saved(tmp_path, _printed)).format == "graph-model"


def test_the_initializer_of_a_resource_runs_nothing_else(tmp_path: Path) -> None:
    from tensorflow.python.trackable.resource import CapturableResource

    class Table(CapturableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="evil")

        def _initialize(self) -> None:
            tf.io.write_file(str(tmp_path / "written"), "x")

    module = tf.Module()
    module.table = Table()
    module.f = tf.function(lambda x: {"y": x * 2}, input_signature=SPEC, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.f)
    (tmp_path / "written").unlink(missing_ok=True)
    _refused(tmp_path / "saved", r"Loading the SavedModel .* would run 'WriteFile \(WriteFile\)'")
    assert not (tmp_path / "written").exists()


@pytest.mark.timeout(60)
def test_a_function_that_nothing_reaches_may_save(tmp_path: Path) -> None:
    """Every SavedModel has functions that save and restore; a file that an import would read is another matter."""
    module = tf.Module()
    (tmp_path / "shape").write_bytes(np.int32([2, 6]).tobytes())
    read = lambda x: tf.reshape(x, tf.io.decode_raw(tf.io.read_file(str(tmp_path / "shape")), tf.int32))  # noqa: E731
    module.f = tf.function(lambda x: {"y": x * 2}, input_signature=SPEC, autograph=False)
    module.g = tf.function(lambda x: {"y": read(x)}, input_signature=SPEC, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": module.f, "g": module.g})
    (tmp_path / "shape").unlink()
    os.mkfifo(tmp_path / "shape")  # it would be waited for
    _refused(tmp_path / "saved", "would run 'ReadFile")


def _vocabulary(directory: Path) -> Path:
    (directory / "words.txt").write_text("ant\nbee\n")
    fields = tf.lookup.TextFileIndex
    filled = tf.lookup.TextFileInitializer(
        str(directory / "words.txt"), tf.string, fields.WHOLE_LINE, tf.int64, fields.LINE_NUMBER
    )
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(filled, -1)
    spec = [tf.TensorSpec([None], tf.string, name="word")]
    module.f = tf.function(lambda word: {"y": module.table.lookup(word)}, input_signature=spec, autograph=False)
    tf.saved_model.save(module, str(directory / "words"), signatures=module.f)
    (directory / "words.txt").unlink()
    return directory / "words"


def _edit(saved: Path, edit: Callable[[Any], None]) -> None:
    message = saved_model_pb2.SavedModel()
    message.ParseFromString((saved / "saved_model.pb").read_bytes())
    edit(message)
    (saved / "saved_model.pb").write_bytes(message.SerializeToString())


@pytest.mark.parametrize("bad", ["../../secret", "/absolute", "..", "sub/../../../secret"])
def test_assets_lie_in_the_saved_model(tmp_path: Path, bad: str) -> None:
    (tmp_path / "secret").write_text("SECRET-0123\n")
    saved = _vocabulary(tmp_path)
    assert convert(saved).format == "graph-model"
    wanted = str(tmp_path / "secret") if bad == "/absolute" else bad
    _edit(saved, lambda message: setattr(message.meta_graphs[0].asset_file_def[0], "filename", wanted))
    _refused(saved, "as one of its assets, which is outside its directory")


def test_an_asset_is_no_link_that_leads_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("SECRET-0123\n")
    saved = _vocabulary(tmp_path)
    (saved / "assets" / "words.txt").unlink()
    (saved / "assets" / "words.txt").symlink_to(tmp_path / "secret")
    _refused(saved, "which is outside its directory")


def test_a_vocabulary_is_an_asset_not_a_path(tmp_path: Path) -> None:
    """A constant of the initializer in its place could name any file."""
    saved = _vocabulary(tmp_path)

    def edit(message: Any) -> None:
        for function in message.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "InitializeTableFromTextFileV2":
                    path = function.node_def.add(name="path", op="Const")
                    path.attr["dtype"].type = path.attr["value"].tensor.dtype = 7
                    path.attr["value"].tensor.tensor_shape.SetInParent()
                    path.attr["value"].tensor.string_val.append(b"/etc/passwd")
                    node.input[1] = "path:output:0"

    _edit(saved, edit)
    _refused(saved, "InitializeTableFromTextFileV2")


def _snapshot(directory: Path, saved: Path) -> Path:
    """Lay a model out as the Hugging Face cache does: links to files that are called after what they hold."""
    home = directory / "models--us--m"
    snapshot = home / "snapshots" / "0123"
    for i, path in enumerate(sorted(path for path in saved.rglob("*") if path.is_file())):
        link = snapshot / path.relative_to(saved)
        link.parent.mkdir(parents=True, exist_ok=True)
        blob = home / "blobs" / f"b{i}"
        blob.parent.mkdir(exist_ok=True)
        path.rename(blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


@pytest.mark.parametrize("kind", ["saved", "web"])
def test_the_hugging_face_cache_is_made_of_links(tmp_path: Path, kind: str) -> None:
    saved = _vocabulary(tmp_path)
    if kind == "web":
        saved = convert(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])).save(tmp_path / "web")
    snapshot = _snapshot(tmp_path, saved)
    converted = convert(snapshot)
    assert converted.groups
    (tmp_path / "secret").write_text("SECRET-0123\n")
    link = next(snapshot.rglob("words.txt" if kind == "saved" else "*.bin"))
    data = link.read_bytes()
    link.unlink()
    link.symlink_to(tmp_path / "secret")
    with pytest.raises(UnsupportedModelError, match="which is outside"):
        convert(snapshot)
    blobs = snapshot.parents[1] / "blobs"
    blobs.rename(tmp_path / "elsewhere")
    blobs.symlink_to(tmp_path / "elsewhere")
    (blobs / "b9").write_bytes(data)
    link.unlink()
    link.symlink_to(blobs / "b9")
    with pytest.raises(UnsupportedModelError, match="which is outside"):
        convert(snapshot)


def test_another_file_does_not_become_weights(tmp_path: Path) -> None:
    """Weights may lie anywhere; TensorFlow compares each with the checksum in the index."""
    (tmp_path / "secret").write_bytes(b"SECRET-0123 " * 1000)
    module = tf.Module()
    module.v = tf.Variable(np.ones((4, 3), np.float32))
    module.f = tf.function(lambda x: {"y": x @ module.v}, input_signature=SPEC, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.f)
    (data,) = (tmp_path / "saved" / "variables").glob("*.data*")
    data.rename(tmp_path / "kept")
    data.symlink_to(tmp_path / "kept")
    assert convert(tmp_path / "saved").format == "graph-model"
    data.unlink()
    data.symlink_to(tmp_path / "secret")
    with pytest.raises(UnsupportedModelError, match="cannot load the SavedModel"):
        convert(tmp_path / "saved")


def test_two_meta_graphs_are_those_of_tensorflow_1(tmp_path: Path) -> None:
    """TensorFlow would run the second one's initializer; we run nothing of it."""
    saved = _saved(tmp_path, lambda x: {"y": x * 2})
    _edit(saved, lambda message: message.meta_graphs.add().CopyFrom(message.meta_graphs[0]))
    try:
        model = convert(saved)
    except UnsupportedModelError:
        return
    assert model.format == "graph-model"


def _recursive() -> Any:
    """A frozen graph with a function that calls itself: TensorFlow's importer ends the process."""
    graph_def = tf.compat.v1.GraphDef()
    x = graph_def.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = 1
    function = graph_def.library.function.add()
    function.signature.name = "f"
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="y", type=1)
    function.ret["y"] = "c:output:0"
    for node in (function.node_def.add(name="c", input=["a"]), graph_def.node.add(name="out", input=["x"])):
        node.op = "PartitionedCall"
        node.attr["f"].func.name = "f"
        node.attr["Tin"].list.type.append(1)
        node.attr["Tout"].list.type.append(1)
    return graph_def


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pb").write_bytes(_recursive().SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"The functions 'f' of .* call themselves"):
        convert(tmp_path / "m.pb", outputs="out")
    saved = _saved(tmp_path, lambda x: {"y": x * 2})
    library = _recursive().library
    _edit(saved, lambda message: message.meta_graphs[0].graph_def.library.MergeFrom(library))
    with pytest.raises(UnsupportedModelError, match="call themselves"):
        convert(saved)


def test_nothing_is_read_to_know_the_shape_of_an_inner_input(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        path = tf.compat.v1.placeholder(tf.string, [], name="path")
        sizes = tf.io.decode_raw(tf.io.read_file(path), tf.int32)
        tf.multiply(tf.reshape(tf.ones([2, 6]), sizes, name="inner"), 2.0, name="out")
    graph_def = graph.as_graph_def()
    (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
    assert convert(tmp_path / "m.pb", outputs="out", inputs={"inner": (3, 4)}).format == "graph-model"
    given = graph_def.node[0]
    given.op = "Const"
    given.ClearField("attr")
    given.attr["dtype"].type = 7
    given.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/hostname"))
    (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"'ReadFile \(ReadFile\)'.*pass trust=True"):
        convert(tmp_path / "m.pb", outputs="out", inputs={"inner": (3, 4)})


def _calling_evil() -> Any:
    """A frozen graph that calls a function f, and has a function "evil" in its library that reads a file."""
    graph_def = _recursive()
    function = graph_def.library.function[0]
    evil = graph_def.library.function.add()
    evil.CopyFrom(function)
    evil.signature.name = "evil"
    function.node_def[0].op, evil.node_def[0].op = "Identity", "ReadFile"
    for node in (function.node_def[0], evil.node_def[0]):
        node.ClearField("attr")
    function.node_def[0].attr["T"].type = 1
    refuse_touching(graph_def, "m", trust=False)
    return graph_def


def _nested(graph_def: Any) -> None:
    graph_def.node[1].attr["f"].func.attr["F"].func.name = "evil"


def _nested_list(graph_def: Any) -> None:
    graph_def.node[1].attr["f"].func.attr["F"].list.func.add().name = "evil"


def _default(graph_def: Any) -> None:
    graph_def.library.function[0].signature.attr.add(name="F", type="func").default_value.func.name = "evil"


def _of_function(graph_def: Any) -> None:
    graph_def.library.function[0].attr["F"].func.name = "evil"


def _branches(graph_def: Any) -> None:
    graph_def.node[1].attr["branches"].list.func.add().name = "evil"


def _gradient(graph_def: Any) -> None:
    graph_def.library.gradient.add(function_name="f", gradient_func="evil")


def _implementation(graph_def: Any) -> None:
    for function in graph_def.library.function:
        function.attr["api_implements"].s = b"an_interface"


def _op(graph_def: Any) -> None:
    graph_def.node[1].op = "evil"


WAYS = [_nested, _nested_list, _default, _of_function, _branches, _gradient, _implementation, _op]


@pytest.mark.parametrize("way", WAYS)
def test_a_function_is_called_in_many_ways(way: Callable[[Any], None]) -> None:
    graph_def = _calling_evil()
    way(graph_def)
    with pytest.raises(UnsupportedModelError, match=r"in 'c \(ReadFile\)'"):
        refuse_touching(graph_def, "m", trust=False)


@pytest.mark.parametrize("way", [_gradient, _implementation])
def test_what_stands_in_for_a_function_of_a_saved_model(tmp_path: Path, way: Callable[[Any], None]) -> None:
    graph_def = _calling_evil()
    way(graph_def)
    saved = _saved(tmp_path, lambda x: {"y": x * 2})
    _edit(saved, lambda message: message.meta_graphs[0].graph_def.library.MergeFrom(graph_def.library))
    _refused(saved, r"would run 'c \(ReadFile\)'")


def test_gradients_that_call_each_other_are_refused() -> None:
    graph_def = _calling_evil()
    for name, other in (("f", "evil"), ("evil", "f")):
        graph_def.library.gradient.add(function_name=name, gradient_func=other)
        node = next(row for row in graph_def.library.function if row.signature.name == name).node_def[0]
        node.op = "SymbolicGradient"
        node.attr["f"].func.name = name
    with pytest.raises(UnsupportedModelError, match="call themselves"):
        check_structure(graph_def, "m")


def test_a_function_may_leave_a_file_s_name_to_its_caller() -> None:
    graph_def = _calling_evil()
    node = graph_def.library.function[0].node_def[0]
    node.op = "PrintV2"
    refuse_touching(graph_def, "m", trust=False)
    node.attr["output_stream"].placeholder = "where"
    with pytest.raises(UnsupportedModelError, match=r"in 'c \(PrintV2\)'"):
        refuse_touching(graph_def, "m", trust=False)


def test_calls_that_double_are_counted(tmp_path: Path) -> None:
    graph_def = _recursive()
    library = graph_def.library
    first = library.function[0]
    del library.function[:]
    for i in range(40):
        function = library.function.add()
        function.CopyFrom(first)
        function.signature.name = f"f{i}"
        for node in (function.node_def[0], function.node_def.add()):
            node.CopyFrom(first.node_def[0])
            node.attr["f"].func.name = f"f{i + 1}"
        function.node_def[1].name = "d"
    graph_def.node[1].attr["f"].func.name = "f0"
    (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedModelError, match="with its calls in place"):
        convert(tmp_path / "m.pb", outputs="out")


def test_a_frozen_graph_that_touches_the_machine_needs_trust(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        text = tf.strings.length(tf.io.read_file(str(tmp_path / "secret")))
        tf.add(x, tf.cast(text, tf.float32), name="out")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"'ReadFile \(ReadFile\)'.*pass trust=True"):
        convert(tmp_path / "m.pb", outputs="out")


# ---------------------------------------------------------------------- the lists


def _all_ops() -> list[Any]:
    found = op_def_pb2.OpList()
    found.ParseFromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    return list(found.op)


#: Ops with an argument of that name that is no path.
HARMLESS = {"RegexFullMatch", "RegexReplace", "StaticRegexFullMatch", "StaticRegexReplace", "TPUReplicateMetadata"}
NAMES = ("file", "path", "url", "uri", "address", "pattern", "socket", "server", "library", "prefix", "descriptor")


def test_every_op_that_takes_a_path_or_an_address_touches_the_machine() -> None:
    for op in _all_ops():
        texts = [arg.name for arg in op.input_arg if arg.type in (0, tf.string.as_datatype_enum)]
        texts += [attr.name for attr in op.attr if attr.type in ("string", "list(string)")]
        if any(word in text for text in texts for word in NAMES) and op.name not in HARMLESS:
            assert touches(op.name) or op.name.startswith("_"), op.name


def test_no_op_that_may_run_at_load_touches_the_machine() -> None:
    assert {op for op in AT_LOAD if touches(op)} == set()
    assert {op for op in FROM_FILE | AT_IMPORT if not touches(op)} == set()


def test_every_op_that_an_import_may_evaluate_is_known() -> None:
    """TensorFlow folds what is stateless; data sets and readers among them take what is not."""
    stateless = {op.name for op in _all_ops() if touches(op.name) and not op.is_stateful}
    others = {name for name in stateless if any(word in name for word in ("Dataset", "Reader", "Infeed"))}
    assert stateless - others <= AT_IMPORT


def test_no_op_of_tfjs_touches_the_machine() -> None:
    from tfjs_magic.ops.check import supported

    assert {op for op in supported()["ops"] if touches(op)} == set()
