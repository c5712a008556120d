"""The cell: convert a model, compare it with Python in this browser, measure it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import LabServer, Notebook
from tests.e2e.widget import Widget, agree, result_expression
from tests.published import published

MOBILENET = "keras.applications.MobileNetV2(weights=None, input_shape=({side}, {side}, 3), classifier_activation=None)"


def run_cell(notebook: Notebook, cell: str) -> Widget:
    """Run a cell with the magic, wait for the end of its benchmark."""
    notebook.set_cells([cell])
    notebook.run(0)
    assert notebook.shows_widget(0), notebook.text(0)
    return Widget(notebook.cell(0)).wait_for("finished")


def result_of(notebook: Notebook, benchmark: str = "_") -> dict[str, Any]:
    """Read the result as Python has it."""
    found: dict[str, Any] = notebook.python(result_expression("_result"), after=f"_result = {benchmark}.result")
    return found


class TestMobileNet:
    """The main job, on a real model."""

    def test_plot_verdict_and_python_agree(self, notebook: Notebook, lab: LabServer) -> None:
        """Also that ``--save`` writes the model, and ``-o`` binds it."""
        magic = "%%tfjs_convert --runs 30 --backend wasm --save saved/mobilenet -o web"
        notebook.set_cells([f"{magic}\n{MOBILENET.format(side=64)}", "bench = _", "result = await bench\nresult"])
        notebook.run(0)
        widget = Widget(notebook.cell(0)).wait_for("finished")
        notebook.run(1)
        assert "finished" not in notebook.text(1)
        notebook.run(2)
        result = notebook.python(result_expression("result"))
        assert [run["index"] for run in result["runs"] if run["phase"] == "run"] == [*range(30)]
        assert result["summary"][0]["n"] == 30
        assert result["summary"][0]["parity"] == "passed"
        agree(widget, result)
        assert notebook.python("bench.result.runs == result.runs")
        assert "median" in notebook.text(2)
        summary = notebook.text(0)
        assert "layers-model" in summary
        assert "trainable" in summary
        assert "tf.loadLayersModel('model.json')" in summary
        assert notebook.python("web.format") == "layers-model"
        assert (lab.root / "saved" / "mobilenet" / "model.json").exists()

    @pytest.mark.slow
    @pytest.mark.parametrize("form", ["layers", "graph"])
    def test_full_size(self, notebook: Notebook, form: str) -> None:
        cell = f"%%tfjs_convert --runs 30 --backend wasm --format {form}\n{MOBILENET.format(side=224)}"
        agree(run_cell(notebook, cell), result_of(notebook))


@pytest.mark.parametrize("form", ["layers", "graph"])
@pytest.mark.parametrize("model", ["small_cnn", "two_inputs_two_outputs"])
def test_formats(notebook: Notebook, model: str, form: str) -> None:
    widget = run_cell(
        notebook, f"%%tfjs_convert --runs 12 --backend wasm --format {form} -o web\ntests.models.{model}()"
    )
    result = result_of(notebook)
    agree(widget, result)
    assert notebook.python("web.format") == f"{form}-model"
    assert result["summary"][0]["parity"] == "passed"
    assert not result["summary"][0]["parity_note"]
    outputs = [row["output"] for row in result["parity"][0]["parity"]["outputs"]]
    assert outputs == notebook.python("[info.name for info in web.outputs]")


def test_parity_can_fail(notebook: Notebook) -> None:
    """Weights that were spoiled after the conversion must show as a failure, in red and in Python."""
    spoil = (
        "import dataclasses\n"
        "group = web.groups[0]\n"
        "parts = [bytearray(part) for part in group.parts]\n"
        "parts[0][:4] = b'\\0\\0\\x20\\x42'\n"
        "group = dataclasses.replace(group, parts=tuple(memoryview(bytes(part)) for part in parts))\n"
        "bench = tfjs_magic.benchmark(dataclasses.replace(web, groups=(group,)), backends='wasm', runs=10)\n"
        "bench"
    )
    notebook.set_cells(["%tfjs_convert {tests.models.dense()} -o web --no-benchmark", spoil])
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for("finished")
    assert widget.row["Against Python"].startswith("✗ failed")
    assert "No rounding explains this error" in widget.root.locator(".tm-detail").inner_text()
    assert result_of(notebook, "bench")["summary"][0]["parity"] == "failed"


def test_saved_model_directory(notebook: Notebook) -> None:
    """It becomes a graph model; a layers model is refused with a sentence."""
    make = (
        "import tensorflow as tf\n"
        "class Scale(tf.Module):\n"
        "    def __init__(self):\n"
        "        self.w = tf.Variable([[1.0, -2.0], [3.0, 0.5]], name='w')\n"
        "    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name='x')])\n"
        "    def __call__(self, x):\n"
        "        return {'y': tf.nn.relu(x @ self.w)}\n"
        "tf.saved_model.save(Scale(), 'exported')"
    )
    refuse = "%tfjs_convert ./exported --format layers --no-benchmark"
    notebook.set_cells([make, "%tfjs_convert ./exported --runs 12 --backend wasm -o web", refuse])
    notebook.run(0)
    notebook.run(1)
    agree(Widget(notebook.cell(1)).wait_for("finished"), result := result_of(notebook))
    assert result["summary"][0]["parity"] == "passed"
    assert notebook.python("web.format") == "graph-model"
    assert "tf.loadGraphModel('model.json')" in notebook.text(1)
    notebook.run_failing(2)
    assert_one_line(notebook, 2, "SavedModel", "format")


def test_keras_file(notebook: Notebook) -> None:
    notebook.set_cells(
        ["tests.models.conv_bn_relu().save('conv.keras')", "%tfjs_convert conv.keras --runs 12 --backend wasm"]
    )
    notebook.run(0)
    notebook.run(1)
    widget = Widget(notebook.cell(1)).wait_for("finished")
    agree(widget, result := result_of(notebook))
    assert result["summary"][0]["parity"] == "passed"


def test_a_body_may_await(notebook: Notebook) -> None:
    body = "import asyncio\nawait asyncio.sleep(0.01)\nmodel = tests.models.dense()"
    widget = run_cell(notebook, f"%%tfjs_convert --runs 12 --backend wasm\n{body}")
    agree(widget, result_of(notebook))
    assert "Converted 'model', the only model that the cell assigns." in notebook.text(0)


def test_benchmark_magic_compares_models(notebook: Notebook) -> None:
    prepare = (
        "a = tfjs_magic.convert(tests.models.small_cnn(), format='layers')\n"
        "b = tfjs_magic.convert(tests.models.small_cnn(), format='graph')"
    )
    notebook.set_cells([prepare, "bench = %tfjs_benchmark a b --runs 12 --backend wasm,cpu\nbench"])
    notebook.run(0)
    notebook.run(1)
    agree(Widget(notebook.cell(1)).wait_for("finished"), result := result_of(notebook, "bench"))
    assert [(row["model"], row["backend"]) for row in result["summary"]] == [
        ("a", "wasm"),
        ("a", "cpu"),
        ("b", "wasm"),
        ("b", "cpu"),
    ]
    assert notebook.python("bench.result.to_dataframe().shape[1]") == 6


def test_python_twin(notebook: Notebook, tmp_path: Path) -> None:
    """Convert, save, load, benchmark without a magic; a loaded model has no reference."""
    cell = (
        f"target = {str(tmp_path / 'web')!r}\n"
        "tfjs_magic.convert(tests.models.dense()).save(target)\n"
        "bench = tfjs_magic.benchmark(tfjs_magic.load(target), backends='wasm', runs=12)\n"
        "bench"
    )
    notebook.set_cells([cell])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    agree(widget, result_of(notebook, "bench"))
    assert widget.row["Against Python"] == "no reference"


def test_user_samples(notebook: Notebook) -> None:
    samples = "import numpy as np\nx = np.eye(6)[:3]"
    widget = run_cell(notebook, f"%%tfjs_convert --runs 12 --backend wasm --samples x\n{samples}\ntests.models.dense()")
    agree(widget, result := result_of(notebook))
    assert result["summary"][0]["parity"] == "passed"


def test_a_lookup_table_in_the_browser(notebook: Notebook) -> None:
    """TF.js fills the table before the first run; the text goes through every message on the way."""
    body = (
        "words = keras.Input((2,), dtype='string', name='words')\n"
        "ids = keras.layers.StringLookup(vocabulary=['ant', 'bée', 'cat'])(words)\n"
        "model = keras.Model(words, keras.layers.Embedding(4, 3)(ids))\n"
        "texts = np.array([['cat', 'bée'], ['dog', 'ant']], dtype=object)\n"
        "model"
    )
    run_cell(notebook, f"%%tfjs_convert --runs 8 --backend wasm --samples texts\nimport keras, numpy as np\n{body}")
    result = result_of(notebook)
    assert result["summary"][0]["parity"] == "passed"
    assert not result["summary"][0]["parity_note"]


def test_hostile_layer_name_stays_text(notebook: Notebook) -> None:
    """A name from a model is text everywhere: in the summary, in the widget, in the saved picture."""
    name = "<img src=x onerror=alert(1)>"
    body = (
        f"name = {name!r}\n"
        "inputs = keras.Input((4,), name='x')\n"
        "model = keras.Model({name: inputs}, {name: keras.layers.Dense(3)(inputs)}, name='hostile')\n"
        "model._name = name"
    )
    widget = run_cell(notebook, f"%%tfjs_convert --runs 12 --backend wasm -o web\n{body}\nmodel")
    widget.root.locator(".tm-parity").click()
    assert name in widget.root.inner_text()
    assert notebook.page.locator("img[src='x']").count() == 0
    assert name in "".join(notebook.cell(0).all_inner_texts())
    notebook.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert notebook.problems == []


BAD_LINES = {
    "%tfjs_convert nothing_like_it": ("nothing_like_it",),
    "%tfjs_convert {42}": ("int",),
    "%tfjs_convert {keras.Sequential([keras.layers.Dense(2)])}": ("built",),
    "%tfjs_convert ./missing.keras": ("./missing.keras", "does not exist"),
    "%tfjs_convert ./": ("SavedModel",),
    "%tfjs_convert model --fromat graph": ("--fromat", "--format"),
    "%tfjs_convert model --format onnx": ("onnx", "graph"),
    "%tfjs_convert model --quantize int4": ("int4", "uint8"),
    "%tfjs_convert model --backend cuda": ("cuda", "wasm"),
    "%tfjs_convert model --save a_file --no-benchmark": ("a_file", "is a file"),
    "%tfjs_benchmark model --samples {[[1.0, 2.0]]}": ("shape", "(1, 2)"),
    "%tfjs_benchmark model --samples {{'wrong': [[1.0]]}}": ("wrong", "features"),
}


def test_mistakes_are_one_clear_line(notebook: Notebook, lab: LabServer) -> None:
    """No traceback, and the words that help."""
    (lab.root / "a_file").write_text("not ours")
    notebook.set_cells(["model = tests.models.two_outputs()", *BAD_LINES])
    notebook.run(0)
    for index, words in enumerate(BAD_LINES.values(), 1):
        notebook.run_failing(index)
        assert_one_line(notebook, index, *words)
    assert (lab.root / "a_file").read_text() == "not ours"


def assert_one_line(notebook: Notebook, index: int, *words: str) -> None:
    """Assert that a cell shows nothing but one line with these words."""
    shown = notebook.text(index).strip()
    assert len(shown.splitlines()) == 1, shown
    assert "Traceback" not in shown
    for word in words:
        assert word in shown, shown


def test_real_model_from_elsewhere(notebook: Notebook) -> None:
    path = next((published("mnist_cnn_keras38") / "original").glob("*.keras"))
    notebook.set_cells([f"%tfjs_convert {path} --runs 12 --backend wasm"])
    notebook.run(0)
    agree(Widget(notebook.cell(0)).wait_for("finished"), result := result_of(notebook))
    assert result["summary"][0]["parity"] == "passed"
