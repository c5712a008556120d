"""The command line: the official converter's flags with their meaning, exit codes, and what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfjs_magic
from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode, missing_for_node
from tfjs_magic.cli import main
from tfjs_magic.weights.pack import unpack_weights
from tfjs_magic.weights.quantize import quantize

needs_node = pytest.mark.skipif(missing_for_node() is not None, reason=missing_for_node() or "")


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    return keras.Model(x, keras.layers.Dense(3, name="head")(keras.layers.Dense(8, "tanh", name="body")(x)))


@pytest.fixture(scope="module")
def keras_file(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("a directory with blanks") / "my model.keras"
    model.save(file)
    return file


@pytest.fixture(scope="module")
def saved_model(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("saved") / "model"
    model.export(directory, verbose=False)
    return directory


_EVERY = dict.fromkeys(["body/kernel", "body/bias", "head/kernel", "head/bias"], "uint8")
_HEAD_IN_FLOAT16 = {"head/kernel": "float16", "head/bias": "float16"}


def _quantized(directory: Path) -> dict[str, str]:
    groups = tfjs_magic.load(directory).groups
    return {spec.name: spec.quantization.dtype for group in groups for spec in group.specs if spec.quantization}


@pytest.mark.parametrize(
    ("flags", "form"),
    [
        ([], "layers-model"),
        (["--input_format=keras"], "layers-model"),
        (["--input_format", "keras_keras", "--output_format", "tfjs_graph_model"], "graph-model"),
        (["--output-format=tfjs_graph_model", "--strip_debug_ops=False", "--control_flow_v2=False"], "graph-model"),
    ],
)
def test_writes_what_tfjs_computes_rightly(
    tfjs_node: TfjsNode, model: keras.Model, keras_file: Path, *, tmp_path: Path, flags: list[str], form: str
) -> None:
    target = tmp_path / "web model"
    assert main(["convert", *flags, str(keras_file), str(target)]) == 0
    written = tfjs_magic.load(target)
    assert written.format == form
    feed = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    got = tfjs_node.run(written, {written.inputs[0].name: feed})
    assert_matches(got, {written.outputs[0].name: model(feed).numpy()})


def test_saved_model_with_every_flag_of_a_script(saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"by": "me"}')
    flags = (
        "--input_format=tf_saved_model --output_format=tfjs_graph_model --signature_name=serving_default "
        f"--saved_model_tags=serve --weight_shard_size_bytes=64 --metadata=card:{tmp_path}/card.json --skip_op_check "
        "--strip_debug_ops=True --use_structured_outputs_names=True --experiments=False --input x=1,4"
    )
    assert main(["convert", *flags.split(), str(saved_model), str(tmp_path / "web")]) == 0
    written = tfjs_magic.load(tmp_path / "web")
    assert written.model_json["userDefinedMetadata"]["card"] == {"by": "me"}
    assert len(written.groups[0].shard_names) > 1
    assert written.inputs[0].shape == (1, 4)


@pytest.mark.parametrize(
    ("words", "quantized"),
    [
        (["--quantize_uint8", "IN", "OUT"], {"body/kernel": "uint8", "head/kernel": "uint8"}),
        (["IN", "--quantize_float16", "OUT"], {"body/kernel": "float16", "head/kernel": "float16"}),
        (["IN", "OUT", "--quantize_uint16"], {"body/kernel": "uint16", "head/kernel": "uint16"}),
        (["--quantize_uint8", "head*", "IN", "OUT"], {"head/kernel": "uint8", "head/bias": "uint8"}),
        (
            ["--quantize-uint8=head/kernel", "--quantize_float16=body/kernel", "IN", "OUT"],
            {"head/kernel": "uint8", "body/kernel": "float16"},
        ),
        (["--quantization_bytes", "1", "IN", "OUT"], _EVERY),
        (["--quantize_uint8", "*", "IN", "OUT"], _EVERY),
        (["--quantize_uint8=*", "IN", "OUT"], _EVERY),
        (["--quantize_uint8=*", "--quantize_float16=head/*", "IN", "OUT"], {**_EVERY, **_HEAD_IN_FLOAT16}),
        (
            ["--quantize_float16", "body/kernel", "--quantize_uint8=head*", "IN", "OUT"],
            {"body/kernel": "float16", "head/kernel": "uint8", "head/bias": "uint8"},
        ),
    ],
)
def test_quantization_flags_take_patterns_and_never_a_path(
    keras_file: Path, tmp_path: Path, words: list[str], quantized: dict[str, str]
) -> None:
    paths = {"IN": str(keras_file), "OUT": str(tmp_path / "web")}
    assert main(["convert", *(paths.get(word, word) for word in words)]) == 0
    assert _quantized(tmp_path / "web") == quantized


def test_official_flags_give_the_official_codes(keras_file: Path, tmp_path: Path) -> None:
    assert main(["convert", "--quantize_uint8", str(keras_file), str(tmp_path / "official")]) == 0
    assert main(["convert", "--quantize", "uint8", str(keras_file), str(tmp_path / "ours")]) == 0
    official, ours = (tfjs_magic.load(tmp_path / name).groups[0] for name in ("official", "ours"))
    exact = {entry.name: entry.data for entry in unpack_weights(tfjs_magic.convert(str(keras_file)).groups[0])}
    for spec, part in zip(official.specs, official.parts, strict=True):
        if spec.quantization is not None:
            stored, quantization = quantize(spec.name, exact[spec.name], "uint8", official=True)
            assert (bytes(part), spec.quantization) == (stored.tobytes(), quantization)
    assert [bytes(part) for part in official.parts] != [bytes(part) for part in ours.parts]


def test_quantization_under_a_bound(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    np.save(tmp_path / "y.npy", np.zeros(40, int))
    web, words = str(tmp_path / "web"), ["convert", "--quantize", "auto", "--samples", str(tmp_path / "x.npz")]
    assert main([*words, "--max-error", "0.1", str(keras_file), web]) == 0
    assert "as far as --max-error 0.1 allows: a largest error of " in capsys.readouterr().out
    assert set(_quantized(tmp_path / "web").values()) == {"uint8"}
    metric = ["--metric", "lambda outputs, labels: len(labels) - len(outputs[0])", "--min-metric", "0"]
    labels = ["--labels", str(tmp_path / "y.npy")]
    assert main([*words, *metric, *labels, "--dry-run", str(keras_file)]) == 0
    assert main([*words, str(keras_file), web, "--overwrite"]) == 2
    assert "--quantize auto has no bound; expected one of --max-error, --min-cosine" in capsys.readouterr().err
    for wrong, says in (
        (["--metric", "np.", "--min-metric", "1"], "cannot be evaluated: SyntaxError"),
        (["--min-accuracy", "0.5", "--labels", str(keras_file)], "holds other things than arrays"),
        (["--min-accuracy", "0.5", "--labels", __file__], "cannot be read as .npy or .npz"),
        (["--max-error", "0.1", "--quantize-uint8=*"], "exclude each other"),
    ):
        assert main([*words, *wrong, str(keras_file), web, "--overwrite"]) == 2
        assert says in capsys.readouterr().err


def test_json_report_of_a_dry_run(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--dry-run", "--json", "--output_format=tfjs_graph_model", str(keras_file)]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["format"] == "graph-model"
    assert report["inputs"] == [{"name": "x", "dtype": "float32", "shape": [None, 4], "upper_bound": None}]
    assert report["nbytes"] == 4 * (4 * 8 + 8 + 8 * 3 + 3)
    assert "_FusedMatMul" in report["ops"]
    assert report["directory"] is None
    assert set(report) >= {"outputs", "backends", "passes", "notes", "advice", "reasons", "seconds", "files"}
    assert list(tmp_path.iterdir()) == []


def test_both_formats_are_written(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", "--output-format", "both", "--json", str(keras_file), str(tmp_path / "web")]
    assert main(words) == 0
    reports: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {name: report["format"] for name, report in reports.items()} == {
        "layers": "layers-model",
        "graph": "graph-model",
    }
    for name, report in reports.items():
        assert report["directory"] == str((tmp_path / "web" / name).resolve())
        assert (tmp_path / "web" / name / "model.json").is_file()
    assert main(words) == 1
    assert "holds a model.json" in capsys.readouterr().err
    assert main(["convert", "--output-format", "both", "--dry-run", str(keras_file)]) == 0
    assert capsys.readouterr().out.count("load in JavaScript") == 2


@needs_node
def test_of_both_formats_the_one_that_is_wrong_is_named(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--output-format", "both", "--verify=node", "--tolerance", "1e-15"]
    assert main(["convert", *flags, str(keras_file), str(tmp_path / "web")]) == 1
    assert "error: layers: verification on wasm failed: output 'head' differs by " in capsys.readouterr().err
    assert not (tmp_path / "web").exists()


def test_inspect_shows_what_was_written(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for form, ops in (("layers", {"Dense": 2}), ("graph", None)):
        target = tmp_path / form
        assert (
            main(["convert", "--output_format", f"tfjs_{form}_model", "--quantize_uint8", str(keras_file), str(target)])
            == 0
        )
        written = capsys.readouterr().out
        assert f"written to: {target}" in written
        assert main(["inspect", "--json", str(target)]) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["quantized"] == {"uint8": 2}
        assert report["files"] == ["model.json", "group1-shard1of1.bin"]
        if ops is not None:
            assert report["ops"] == ops
        else:
            assert set(report["backends"]) == {"cpu", "wasm", "webgl", "webgpu"}
        assert main(["inspect", str(target)]) == 0
        assert "2 as uint8" in capsys.readouterr().out
    (tmp_path / "graph" / "group1-shard1of1.bin").write_bytes(b"short")
    assert main(["inspect", str(tmp_path / "graph")]) == 1
    assert "hold 5" in capsys.readouterr().err


def test_inspect_says_what_convert_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also of what a backend has and computes wrongly, and of nested models."""
    x = keras.Input((None, None, None, 2))
    pooled = keras.Model(x, keras.layers.MaxPooling3D(2, padding="same")(x))
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.ELU()], name="inner")
    y = keras.Input((4,))
    nested = keras.Model(y, keras.layers.Dense(2)(inner(y)))
    for number, (model, form) in enumerate(((pooled, "graph"), (nested, "layers"))):
        path, target = tmp_path / f"{number}.keras", tmp_path / form
        model.save(path)
        assert main(["convert", "--json", f"--output_format=tfjs_{form}_model", str(path), str(target)]) == 0
        first = json.loads(capsys.readouterr().out)
        assert main(["inspect", "--json", str(target)]) == 0
        seen = json.loads(capsys.readouterr().out)
        again = tfjs_magic.convert(target).report
        assert seen["ops"] == first["ops"] == dict(again.ops)
        if form == "graph":
            assert seen["backends"] == first["backends"]
            assert "MaxPool3D" in seen["backends"]["wasm"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["convert"], 2, "lacks its INPUT (input_path)"),
        (["convert", "IN"], 2, "lacks its OUTPUT (output_path)"),
        (["convert", "IN", "OUT", "more"], 2, "found also 'more'"),
        (["convert", "--no_such_flag", "IN", "OUT"], 2, "--no_such_flag"),
        (["convert", "--input_format=onnx", "IN", "OUT"], 2, "--input_format is 'onnx'; expected one of keras,"),
        (["convert", "--input-format=onnx", "IN", "OUT"], 2, "--input-format is 'onnx'; expected one of keras,"),
        (
            ["convert", "--input_format=keras", "--signature_name=f", "nowhere.h5", "OUT"],
            2,
            "The --signature_name flag is applicable only to tf_saved_model, keras_saved_model, tf_hub, and",
        ),
        (["convert", "--saved_model_tags=serve", "IN", "OUT"], 2, "applicable only to tf_saved_model"),
        (["convert", "--strip_debug_ops=maybe", "IN", "OUT"], 2, "'maybe' is neither true nor false"),
        (["convert", "--input", "x", "IN", "OUT"], 2, "--input is 'x'; expected NAME=SHAPE"),
        (["convert", "--metadata", "a:nowhere.json", "IN", "OUT"], 2, "'nowhere.json' cannot be read"),
        (["convert", "--weight_shard_size_bytes=0", "IN", "OUT"], 2, "--weight-shard-size-bytes is 0"),
        (["convert", "--quantization_bytes=1", "--quantize_uint8=*", "IN", "OUT"], 2, "exclude each other"),
        (["convert", "--quantize_uint8=*", "--quantize_float16=*", "IN", "OUT"], 2, "take the same weights"),
        (
            ["convert", "--input_format=tf_saved_model", "IN", "OUT"],
            2,
            "is a Keras file; --input_format=",
        ),
        (
            ["convert", "--input_format=tf_hub", "--output_format=keras", "IN", "OUT"],
            2,
            "is a Keras file; --input_format=tf_hub reads another",
        ),
        (["convert", "--output_format=keras", "IN", "OUT"], 2, "takes a TensorFlow.js layers model back to Keras"),
        (["convert", "nowhere.keras", "OUT"], 1, "'nowhere.keras' does not exist"),
        (["convert", "--", "IN"], 2, "lacks its OUTPUT (output_path)"),
        (["convert", "--", "IN", "OUT", "more"], 2, "found also 'more'"),
        (["convert", "--samples", "SAMPLES", "IN", "OUT"], 2, "--samples belongs to --verify or --quantize auto"),
        (["convert", "--verify", "nod", "IN", "OUT"], 2, "found also"),
        (["convert", "--verify=nod", "IN", "OUT"], 2, "Did you mean 'node'? 'tfjs-magic convert --help' shows how."),
        (["convert", "--verify", "node", "--backend", "webgl", "IN", "OUT"], 2, "--verify=node has no webgl"),
        (["benchmark", "IN", "--max-median-ms=-1"], 2, "--max-median-ms is -1.0; expected a number above 0."),
        (["inspect", "nowhere"], 1, "does not exist"),
        (["inspect", "IN"], 1, "is a Keras file, no TensorFlow.js model; convert it first."),
        (["inspect"], 2, "DIR"),
        (["transmogrify"], 2, "transmogrify"),
        ([], 2, "COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, words: list[str], code: int, message: str
) -> None:
    paths = {"IN": str(keras_file), "OUT": str(tmp_path / "web"), "SAMPLES": str(tmp_path / "x.npy")}
    np.save(paths["SAMPLES"], np.ones((2, 4), np.float32))
    assert main([paths.get(word, word) for word in words]) == code
    error = capsys.readouterr().err
    assert error.startswith("tfjs-magic: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "web").exists()


def test_paths_that_begin_with_a_hyphen(keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["--", "-x_y.keras", "--web_a"], ["--quantize_uint8", "--", "-x_y.keras", "-b"]):
        Path("-x_y.keras").write_bytes(keras_file.read_bytes())
        assert main(["convert", *words]) == 0
        assert Path(words[-1], "model.json").is_file()
    assert main(["convert", "--dry-run", "--", "-x_y.keras"]) == 0
    assert main(["inspect", "--", "-b"]) == 0


def test_a_directory_is_no_keras_file(saved_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--input_format=keras", str(saved_model), str(tmp_path / "web")]) == 2
    assert "Expected path to point to an HDF5 file, but it points to a directory: " in capsys.readouterr().err


def test_a_weight_file_for_each_layer(
    tfjs_node: TfjsNode, model: keras.Model, keras_file: Path, *, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web = tmp_path / "web"
    words = ["convert", "--split_weights_by_layer", str(keras_file), str(web)]
    assert main([*words, "--output_format=tfjs_layers_model"]) == 0
    assert sorted(path.name for path in web.glob("*.bin")) == ["group1-shard1of1.bin", "group2-shard1of1.bin"]
    x = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run(tfjs_magic.load(web), {"x": x}, backend).values()
        assert np.allclose(got, model(x), atol=1e-6)
    assert main([*words, "--output_format=tfjs_graph_model", "--overwrite"]) == 0
    assert "--split_weights_by_layer has no effect" in capsys.readouterr().err


def test_an_existing_model_is_replaced_only_on_request(keras_file: Path, tmp_path: Path) -> None:
    words = ["convert", str(keras_file), str(tmp_path / "web")]
    assert [main(words), main(words), main([*words, "--overwrite"])] == [0, 1, 0]


def test_traceback_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--traceback", str(tmp_path)]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_models_fault_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = tf.Module()
    function = tf.function(tf.math.lgamma, input_signature=[tf.TensorSpec((2, 2), name="x")])
    module.serve = function
    tf.saved_model.save(module, tmp_path / "saved", signatures=function.get_concrete_function())
    assert main(["convert", str(tmp_path / "saved"), str(tmp_path / "web")]) == 1
    assert "Lgamma" in capsys.readouterr().err
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["convert", "--help"], ["inspect", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom tfjs_magic.cli import main\ncode = main(sys.argv[1:])\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'IPython', 'anywidget'} & set(sys.modules)\n"
        "sys.exit(code or ' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tfjs-magic" in done.stdout


def test_the_program_is_installed(keras_file: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("tfjs-magic")
    command = [str(program), "convert", str(keras_file), str(tmp_path / "web")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "web" / "model.json").is_file()
    assert done.stderr == ""


def test_a_bare_quantize_flag_in_a_dry_run_takes_no_path(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "--dry-run", "--json", "--quantize_uint8", str(keras_file), str(tmp_path / "web")]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["quantized"] == {"uint8": 2}


def test_a_bare_quantize_flag_after_one_with_patterns(keras_file: Path, tmp_path: Path) -> None:
    words = ["convert", "--quantize_float16", "body/*", "--quantize_uint8", str(keras_file), str(tmp_path / "web")]
    assert main(words) == 0
    quantized = _quantized(tmp_path / "web")
    assert (quantized["body/kernel"], quantized["head/kernel"]) == ("float16", "uint8")


def _frozen(directory: Path) -> tuple[Path, list[str]]:
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, (None, 4), name="x")
        tf.identity(tf.tanh(x) * np.float32([1, 2, 3, 4]), name="y")
    (directory / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return directory / "net.pb", ["--input_format=tf_frozen_model", "--output_node_names=y"]


def _version_1(directory: Path) -> tuple[Path, list[str]]:
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 4), name="x")
        y = x @ v1.get_variable("kernel", (4, 2), use_resource=False)
        session.run(v1.global_variables_initializer())
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y)})
        builder = v1.saved_model.Builder(str(directory / "old"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return directory / "old", ["--input_format=tf_saved_model"]


def _archive(directory: Path) -> tuple[Path, list[str]]:
    saved, _ = _version_1(directory)
    with tarfile.open(directory / "module.tar.gz", "w:gz") as archive:
        archive.add(saved, arcname=".")
    return directory / "module.tar.gz", ["--input_format=tf_hub"]


def _converted(directory: Path) -> tuple[Path, list[str]]:
    saved, _ = _version_1(directory)
    assert main(["convert", str(saved), str(directory / "first")]) == 0
    return directory / "first" / "model.json", ["--input_format=tfjs_layers_model", "--output_format=tfjs_graph_model"]


@pytest.mark.parametrize("make", [_frozen, _version_1, _archive, _converted])
def test_every_kind_of_source(make: Callable[[Path], tuple[Path, list[str]]], tmp_path: Path) -> None:
    source, flags = make(tmp_path)
    assert main(["convert", *flags, str(source), str(tmp_path / "told")]) == 0
    found = [flag for flag in flags if "input_format" not in flag]
    assert main(["convert", *found, str(source), str(tmp_path / "found")]) == 0
    for file in (tmp_path / "told").iterdir():
        assert file.read_bytes() == (tmp_path / "found" / file.name).read_bytes()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--input_format=tfjs_layers_model"], "A graph model cannot become a Keras model"),
        (["--input_format=tf_frozen_model"], "is a TensorFlow.js model; --input_format=tf_frozen_model reads another"),
    ],
)
def test_a_tfjs_model_by_the_official_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    source, _ = _converted(tmp_path)
    assert main(["convert", *flags, str(source), str(tmp_path / "again")]) in {1, 2}
    assert said in capsys.readouterr().err


def test_a_saved_model_as_layers_names_the_flag(
    saved_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "--input_format=keras_saved_model", str(saved_model), str(tmp_path / "web")]) == 1
    assert "Add --output_format=tfjs_graph_model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("output_format", "name"), [("keras", "back.h5"), ("keras_keras", "back.keras"), ("keras_saved_model", "back")]
)
def test_a_layers_model_goes_back_to_keras(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], output_format: str, name: str
) -> None:
    web, target = tmp_path / "web", tmp_path / "new" / name
    assert main(["convert", "--output_format=tfjs_layers_model", str(keras_file), str(web)]) == 0
    words = ["convert", "--input_format=tfjs_layers_model", f"--output_format={output_format}", str(web / "model.json")]
    assert main([*words, str(target)]) == 0
    assert f"written to: {target}" in capsys.readouterr().out
    original = keras.models.load_model(keras_file)
    x = np.random.default_rng(0).normal(size=(2, *original.input_shape[1:])).astype(np.float32)
    if output_format == "keras_saved_model":
        got = next(iter(tf.saved_model.load(str(target)).signatures["serving_default"](tf.constant(x)).values()))
    else:
        got = keras.models.load_model(target)(x)
    assert np.allclose(got, original(x), atol=1e-6)
    if output_format == "keras":
        tf_keras = pytest.importorskip("tf_keras", reason="tf_keras, the extra keras2, is not installed")
        assert np.allclose(tf_keras.models.load_model(target)(x), original(x), atol=1e-6)
    assert main([*words, str(target)]) == 1
    assert "exists. Choose another path, or pass --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite", str(target)]) == 0
    assert [path.name for path in target.parent.iterdir()] == [name]


def test_a_layers_model_becomes_a_graph_model(keras_file: Path, tmp_path: Path) -> None:
    assert main(["convert", "--output_format=tfjs_layers_model", str(keras_file), str(tmp_path / "web")]) == 0
    words = ["convert", "--output_format=tfjs_graph_model", str(tmp_path / "web")]
    assert main([*words, str(tmp_path / "graph")]) == 0
    assert tfjs_magic.load(tmp_path / "graph").format == "graph-model"


def test_going_back_never_loses_a_directory_of_others(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "--output_format=tfjs_layers_model", str(keras_file), str(tmp_path / "web")]) == 0
    words = ["convert", "--output_format=keras_saved_model", "--overwrite", str(tmp_path / "web"), str(tmp_path)]
    assert main(words) == 1
    assert "holds no SavedModel and would be lost" in capsys.readouterr().err
    assert keras_file.exists()


def test_going_back_has_no_quantization(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "--output_format=tfjs_layers_model", str(keras_file), str(tmp_path / "web")]) == 0
    words = ["convert", "--output_format=keras", "--quantize_float16=*", str(tmp_path / "web"), str(tmp_path / "b.h5")]
    assert main(words) == 2
    assert "hold no quantized weights" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--verify", "--verify=node", "--quantize=uint8", "--inference", "--target=wasm"])
def test_going_back_takes_no_flag_of_a_conversion(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    """Nobody may take a file for verified that was not."""
    tfjs_magic.convert(keras_file).save(tmp_path / "web")
    assert main(["convert", "--output_format=keras", flag, str(tmp_path / "web"), str(tmp_path / "b.h5")]) == 2
    assert "leave " in capsys.readouterr().err
    assert not (tmp_path / "b.h5").exists()


def test_a_page_of_a_model(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("a\nb\nc\n", encoding="utf-8")
    np.save(tmp_path / "x.npy", np.ones((2, 4), np.float32))
    flags = ["--format=graph", "--quantize=float16", "--runs=7", "--backend=wasm,cpu", "--samples", "x.npy"]
    words = [word if word != "x.npy" else str(tmp_path / word) for word in flags]
    target = tmp_path / "page"
    assert main(["page", str(keras_file), str(target), *words, "--class-names", str(tmp_path / "names.txt")]) == 0
    assert capsys.readouterr().out == f"written to: {target}\n"
    assert tfjs_magic.load(target / "model").format == "graph-model"
    page = (target / "index.html").read_text(encoding="utf-8")
    assert '"runs":7' in page
    assert '"backends":["wasm","cpu"]' in page
    assert '"quantized":true' in page
    assert main(["page", str(keras_file), str(target)]) == 1
    assert "pass --overwrite" in capsys.readouterr().err


def test_a_page_of_a_model_that_is_made_for_it(keras_file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32))
    flags = ["--quantize=auto", "--max-error=0.5", "--samples", str(tmp_path / "x.npy"), "--inference", "--target=wasm"]
    assert main(["page", str(keras_file), str(tmp_path / "page"), *flags]) == 0
    assert _quantized(tmp_path / "page" / "model")


def test_a_page_in_one_file(keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tfjs_magic.convert(keras_file).save(tmp_path / "web")
    one = tmp_path / "one.html"
    words = ["page", str(tmp_path / "web"), str(one), "--single_file", "--pixels", "-1..1", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"page": str(one)}
    assert '"status":"no_reference"' in one.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--pixels", "0..2"], "--pixels is '0..2'; expected one of 0..1, -1..1, 0..255"),
        (["--class-names", "missing.txt"], "'missing.txt' cannot be read as lines of text"),
        (["--samples", "missing.npz"], "'missing.npz' cannot be read as .npy or .npz"),
        (["--runs", "0"], "--runs is 0; expected 1 to"),
    ],
)
def test_a_mistake_makes_no_page(
    keras_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["page", str(keras_file), str(tmp_path / "page"), *words]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


def test_a_place_that_cannot_be_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["benchmark", str(tmp_path / "none.keras"), "--html", str(tmp_path / "file" / "x.html")]) == 1
    assert "cannot be written: Not a directory" in capsys.readouterr().err
