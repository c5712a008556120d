"""The magics in a real IPython shell, on a real Keras model; the browser's part is in tests/e2e."""

from __future__ import annotations

import gc
import io
import os
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.testing.globalipapp import start_ipython
from IPython.utils.capture import capture_output

from tfjs_magic import magics
from tfjs_magic.notebook.native_stderr import native_stderr_silenced

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Jedi's and the shell's own

MAKE = """
import keras
def make(units=3, name="tiny"):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)], name=name)
"""


class Shell:
    """Runs cells and keeps what they show."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.ns = shell.user_ns

    def run(self, cell: str) -> Any:
        with capture_output() as self.captured:
            return self.shell.run_cell(cell, store_history=True)

    def succeed(self, cell: str) -> Any:
        done = self.run(cell)
        assert done.success, (done.error_before_exec, done.error_in_exec, self.captured.stdout)
        return done.result

    def mistake(self, cell: str) -> str:
        """Run a cell that is wrong; return the one line that the user sees."""
        done = self.run(cell)
        assert type(done.error_in_exec) is UsageError, repr(done.error_in_exec)
        (line,) = self.captured.stderr.strip().splitlines()
        assert line.startswith("UsageError: ")
        return line.removeprefix("UsageError: ")

    def texts(self) -> list[str]:
        return [output.data.get("text/plain", "") for output in self.captured.outputs]


@pytest.fixture(scope="module")
def kernel_shell() -> Iterator[Any]:
    shell = start_ipython()
    shell.history_manager.enabled = False
    shell.run_cell(MAKE)  # imports TensorFlow
    gc.freeze()  # a reset of the shell collects garbage: a second each time, were TensorFlow's objects looked through
    yield shell
    gc.unfreeze()


@pytest.fixture
def shell(kernel_shell: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setattr("tfjs_magic.bench.widget.load_assets", dict)
    monkeypatch.setattr("tfjs_magic.bench.widget.load_esm", lambda: "")
    kernel_shell.run_line_magic("load_ext", "tfjs_magic")
    shell = Shell(kernel_shell)
    shell.succeed(MAKE)
    yield shell
    kernel_shell.run_line_magic("unload_ext", "tfjs_magic")
    kernel_shell.reset(new_session=False)


def test_line_magic_converts_binds_and_benchmarks(shell: Shell) -> None:
    shell.succeed("model = make()")
    bench = shell.succeed("%tfjs_convert model --runs 7 --backend wasm,cpu -o web")
    assert shell.ns["web"].format == "layers-model"
    assert shell.texts()[0].startswith("Keras model 'tiny'")
    assert [state["job"]["backend"] for state in bench.snapshot["jobs"]] == ["wasm", "cpu"]
    assert bench._session._options.runs == 7
    assert shell.ns["_"] is bench


def test_cell_magic_converts_the_last_value_and_displays_it_nowhere_else(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert --no-benchmark --format graph -o web\nprint('before')\nm = make()\nm")
    assert shell.captured.stdout == "before\n"
    assert [text.splitlines()[0][:19] for text in shell.texts()] == ["Keras model 'tiny' "]
    assert shell.ns["web"].format == "graph-model"
    assert not [name for name in shell.ns if name.startswith("_tfjs")]


def test_cell_without_last_expression_converts_the_one_model_and_names_it(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert --no-benchmark -o web\nalias = fresh = make()\nnumber = 3")
    assert shell.ns["web"].report.notes[0] == "Converted 'alias', the only model that the cell assigns."


def test_cell_that_ends_in_a_print_converts_the_one_model_too(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert --no-benchmark -o web\nfresh = make()\nprint('trained')")
    assert shell.captured.stdout == "trained\n"
    assert shell.ns["web"].format == "layers-model"


def test_source_is_read_after_the_body_whose_own_value_is_shown(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert nets['a b'] --no-benchmark -o web\nnets = {'a b': make(name='inner')}\n'shown'")
    assert shell.texts()[0] == "'shown'"
    assert "inner" in shell.ns["web"].report.source


def test_body_may_await(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert --no-benchmark -o web\nimport asyncio\nawait asyncio.sleep(0)\nmake(name='later')")
    assert "later" in shell.ns["web"].report.source


def test_body_may_use_other_magics_and_the_cell_is_one_cell_of_history(shell: Shell) -> None:
    count = shell.shell.execution_count
    shell.succeed("%%tfjs_convert --no-benchmark -o web\n%time m = make()\nm")
    assert shell.shell.execution_count == count + 1


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("%%tfjs_convert\n\nx = 1\n1 / 0\n", id="sync"),
        pytest.param("%%tfjs_convert\nimport asyncio\nawait asyncio.sleep(0)\n1 / 0\n", id="async"),
    ],
)
def test_an_error_in_the_body_is_the_users_own_traceback(shell: Shell, cell: str) -> None:
    done = shell.run(cell)
    assert isinstance(done.error_in_exec, ZeroDivisionError)
    assert "line 4" in shell.captured.stdout
    assert "magics.py" not in shell.captured.stdout
    assert "run_cell_magic" not in shell.captured.stdout


def test_a_syntax_error_in_the_body_shows_its_own_line(shell: Shell) -> None:
    done = shell.run("%%tfjs_convert\nx = 1\ny = = 2\n")
    assert isinstance(done.error_before_exec, SyntaxError)
    assert "y = = 2" in shell.captured.stdout
    assert "line 3" in shell.captured.stdout
    assert "tfjs_magic" not in shell.captured.stdout


def test_save_writes_and_refuses_to_overwrite_without_losing_the_model(shell: Shell, tmp_path: Path) -> None:
    shell.ns["target"] = tmp_path / "with blank"
    shell.succeed("%tfjs_convert {make()} --no-benchmark --save {target}")
    assert (tmp_path / "with blank" / "model.json").exists()
    assert "with blank" in shell.mistake("%tfjs_convert {make()} --no-benchmark --save {target} -o kept")
    assert shell.ns["kept"].nbytes == 60
    shell.succeed(f'%tfjs_convert {{make(5)}} --no-benchmark --overwrite --save "{shell.ns["target"]}"')
    bench = shell.succeed("%tfjs_benchmark {target} --runs 2")
    assert bench.snapshot["models"][0]["nbytes"] == 100


def test_a_cell_that_is_run_again_replaces_what_it_saved_and_nothing_else(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent: dict[str, Any] = {"metadata": {"cellId": "first"}, "header": {"msg_id": "1"}}
    monkeypatch.setattr(type(shell.shell), "get_parent", lambda _: parent, raising=False)
    cell = f"%%tfjs_convert --no-benchmark --save {tmp_path / 'web'}\nmake()"
    shell.succeed(cell)
    shell.succeed(cell)
    parent["metadata"]["cellId"] = "second"
    assert "holds a model.json" in shell.mistake(cell)
    parent["metadata"]["cellId"] = "first"
    (tmp_path / "web" / "model.json").write_text("{}")  # by another program
    assert "holds a model.json" in shell.mistake(cell)


def test_dry_run_leaves_nothing_behind(shell: Shell, tmp_path: Path) -> None:
    assert shell.succeed(f"%tfjs_convert {{make()}} --dry-run --save {tmp_path / 'x'} -o web") is None
    assert shell.texts()[0].startswith("Keras model 'tiny'")
    assert "web" not in shell.ns
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("%tfjs_convert net -o web", ["web"]),
        ("%tfjs_convert net", ["net"]),
        ("%tfjs_convert nets['a']", ["nets['a']"]),
        ("%tfjs_convert {make()}", ["make()"]),
        ("%%tfjs_convert\nfresh = make()\nfresh", ["fresh"]),
        ("%%tfjs_convert\nfresh = make()", ["fresh"]),
        ("%%tfjs_convert\nmake()", ["tiny"]),
        ("%tfjs_benchmark net other net", ["net", "other", "net (2)"]),
        ("import tfjs_magic\ntfjs_magic.benchmark(net)", ["tiny"]),
        ("import tfjs_magic\ntfjs_magic.convert(net).benchmark()", ["tiny"]),
        ("import tfjs_magic\ntfjs_magic.benchmark({'small': net})", ["small"]),
    ],
)
def test_labels_are_the_users_words(shell: Shell, cell: str, labels: list[str]) -> None:
    shell.succeed("net = other = make()\nnets = {'a': net}")
    bench = shell.succeed(cell)
    assert [card["label"] for card in bench.snapshot["models"]] == labels


def test_both_formats_run_side_by_side(shell: Shell, tmp_path: Path) -> None:
    cell = f"%tfjs_convert net --format both --save {tmp_path / 'web'}"
    bench = shell.succeed(f"net = make()\n{cell} -o web")
    assert [card["label"] for card in bench.snapshot["models"]] == ["web_layers", "web_graph"]
    assert [shell.ns[name].format for name in ("web_layers", "web_graph")] == ["layers-model", "graph-model"]
    assert "web" not in shell.ns
    assert sorted(path.parent.name for path in tmp_path.rglob("model.json")) == ["graph", "layers"]
    assert "layers' holds a model.json" in shell.mistake(f"%%tfjs_convert --format both --save {tmp_path / 'web'}\nnet")
    bench = shell.succeed("%tfjs_convert net --format both")
    assert [card["label"] for card in bench.snapshot["models"]] == ["net layers", "net graph"]


def test_both_formats_of_what_has_only_one_are_refused_with_the_reason(shell: Shell) -> None:
    shell.succeed("net = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: 2 * x, name='twice')])")
    message = shell.mistake("%tfjs_convert net --format both -o web")
    assert "cannot become a layers model" in message
    assert message.endswith("Convert the model with --format graph.")
    assert not {"web", "web_layers", "web_graph"} & {*shell.ns}


def test_a_path_is_called_by_its_last_part(shell: Shell, tmp_path: Path) -> None:
    shell.succeed(f"net = make()\n%tfjs_convert net --no-benchmark --save {tmp_path / 'web_net'}")
    bench = shell.succeed(f"%tfjs_benchmark {tmp_path / 'web_net'}")
    assert [card["label"] for card in bench.snapshot["models"]] == ["web_net"]


def test_samples_are_read_before_anything_is_converted(shell: Shell) -> None:
    shell.succeed("model = make()")
    assert "name 'nothing' is not defined" in shell.mistake("%tfjs_convert model --samples nothing -o web")
    assert "web" not in shell.ns


def test_options_reach_the_python_twins(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text('{"by": "me"}')
    shell.ns.update(n=4, rows=__import__("numpy").ones((2, 4)))
    bench = shell.succeed(
        "%tfjs_convert {make(units=n)} --quantize uint8=*kernel* --quantize float16=*bias* --format graph "
        f"--metadata card:{tmp_path / 'card.json'} --weight_shard_size_bytes 8 --runs {{n + 1}} --warmup 2 "
        "--samples rows[:1] --tolerance 0.5 --backend {['wasm']} -o web"
    )
    web, options = shell.ns["web"], bench._session._options
    assert web.model_json["userDefinedMetadata"]["card"] == {"by": "me"}
    assert len(web.groups[0].shard_names) > 1
    assert (options.runs, options.warmup, options.tolerance, options.backends) == (5, 2, 0.5, ("wasm",))
    assert len(bench._session._contenders[0].feeds) == 1


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%tfjs_convert modle", "there is no variable 'modle' and no file or directory 'modle'. Did you mean 'model'?"),
        ("%tfjs_convert model.encodr", "'model.encodr' cannot be read: AttributeError: "),
        ("%tfjs_convert number", "An object of type builtins.int is no model; "),
        ("%tfjs_convert ./nope", "the path './nope' does not exist."),
        ("%tfjs_convert nope/x.keras", "the path 'nope/x.keras' does not exist."),
        ("%tfjs_convert make()", "Put an expression in braces: {make_model()}."),
        ("%tfjs_convert {make(}", "the line ends inside a bracket: '{make(}'"),
        ("%tfjs_convert {1 +}", "{1 +} cannot be evaluated: SyntaxError"),
        ("%tfjs_convert {boom()}", "cannot be evaluated: NameError: name 'boom' is not defined"),
        ("%tfjs_convert", "lacks its SOURCE"),
        ("%tfjs_benchmark --runs 3", "lacks its SOURCE"),
        ("%tfjs_convert model other", "takes one source; found also 'other'"),
        ("%tfjs_convert model --formt graph", "has no option '--formt'. Did you mean '--format'?"),
        (
            "%tfjs_convert model --format graf",
            "--format is 'graf'; expected one of auto, layers, graph, both. Did you mean",
        ),
        ("%tfjs_convert model --quantize int8", "--quantize is 'int8'; expected one of float16"),
        ("%tfjs_convert model --backend wasm,cuda", "--backend is 'cuda'; expected one of webgpu"),
        ("%tfjs_convert model --runs many", "--runs is 'many'; expected a whole number."),
        ("%tfjs_convert model --runs 0", "runs is 0; expected 1 to 100000."),
        ("%tfjs_convert model --runs", "expected one argument"),
        ("%tfjs_convert model --input x", "--input is 'x'; expected NAME=SHAPE"),
        ("%tfjs_convert model --metadata card", "expected KEY:FILE.json"),
        ("%tfjs_convert model -o 2x", "--as is '2x'; expected a Python name."),
        ("%tfjs_convert model -o class", "--as is 'class'; expected a Python name."),
        ("%tfjs_convert 'model", "the line ends inside a quote"),
        ("%tfjs_convert model --samples nothing", "--samples nothing cannot be evaluated: NameError"),
        ("%tfjs_convert nope.keras", "no file or directory 'nope.keras'. Models here: 'model'."),
        ("%tfjs_convert model --samples {'z': [1]}", "samples name 'z'; the model's inputs are"),
        ("%%tfjs_convert\nNone", "the cell's last expression is None"),
        ("%%tfjs_convert\na = make(); b = make()", "assigns 2 models ('a', 'b'); expected one."),
        ("%%tfjs_convert\nx = 1", "assigns no model; expected one."),
    ],
)
def test_a_mistake_is_one_clear_line(shell: Shell, cell: str, line: str) -> None:
    shell.ns.update(number=3)
    shell.succeed("model = make()")
    assert line in shell.mistake(cell)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--runs many", "--runs is 'many'; expected a whole number."),
        ("--runs 0", "--runs is 0; expected 1 to 100000."),
        ("--min-time -1", "--min-time is -1.0; expected 0 to 3600 seconds."),
        ("--tolerance -1", "--tolerance is -1.0; expected"),
        ("--seed -1", "--seed is -1; expected a whole number from 0"),
        ("--weight-shard-size-bytes 0", "--weight-shard-size-bytes is 0; expected at least 1."),
        ("--samples nosuch", "--samples reads 'nosuch', but there is no such variable, and the cell makes none."),
        ("--samples [x[:4] for x in nosuch]", "--samples reads 'nosuch'"),
        ("--save {nosuch}/x", "--save reads 'nosuch'"),
        ("--samples {1+}", "{1+} cannot be evaluated: SyntaxError"),
        ("modle", "there is no variable 'modle'"),
        ("{make(nosuch)}", "{make(nosuch)} reads 'nosuch', but there is no such variable"),
        (
            "--quantize auto --samples [[1, 2, 3, 4]]",
            "--quantize auto has no bound; expected one of --max-error, --min-",
        ),
        ("--quantize auto --max-error 0.1", "--quantize auto needs --samples"),
        ("--max-error 0.1", "--max-error belongs to --quantize auto, which is not given."),
        ("--quantize auto --samples 1 --min-top1 99", "--min-top1 is 99.0; expected 0 to 1."),
        ("--zzz", "%tfjs_convert has no option '--zzz'. %tfjs_convert --help lists them."),
        ("--nope", "%tfjs_convert has no option '--nope'. %tfjs_convert --help lists them."),
        ("--profle", "%tfjs_convert has no option '--profle'. Did you mean '--profile'?"),
        ("--tol 1", "%tfjs_convert has no option '--tol'. Did you mean '--tolerance'?"),
        ("--save ''", "--save is ''; expected a directory; . is the current one."),
        ("--batch ,", "--batch is ','; expected whole numbers, such as 1,4,16."),
        ("--backend ''", "--backend is ''; expected one of webgpu, webgl, wasm, cpu."),
    ],
)
def test_a_mistake_is_noticed_before_the_body_runs(shell: Shell, options: str, says: str) -> None:
    assert says in shell.mistake(f"%%tfjs_convert {options}\nran = True\nmake()")
    assert "ran" not in shell.ns


def test_what_the_body_may_still_make_is_waited_for(shell: Shell) -> None:
    body = "from numpy import *\nmake()"
    shell.succeed(f"%%tfjs_convert --samples ones((2, 4)) --no-benchmark\n{body}")
    shell.succeed("%%tfjs_convert late --samples rows --no-benchmark\nlate = make()\nrows = [[1.0] * 4]")


def test_texts_are_drawn_from_the_models_own_words_or_asked_for(shell: Shell) -> None:
    lookup = "keras.layers.StringLookup(vocabulary=['cat', 'dog'])"
    shell.succeed(f"i = keras.Input((2,), dtype='string')\nknowing = keras.Model(i, {lookup}(i))")
    bench = shell.succeed("%tfjs_convert knowing")
    (contender,) = bench._session._contenders
    assert {word for feed in contender.feeds for array in feed.values() for word in array.flat} <= {"cat", "dog"}
    shell.succeed(
        "import tensorflow as tf\n"
        "same = tf.function(lambda text: tf.equal(text, 'a'), input_signature=[tf.TensorSpec([None], tf.string)])"
    )
    assert "so no sample can be drawn: pass --samples." in shell.mistake("%tfjs_convert same --skip-op-check")


def test_samples_that_do_not_fit_are_told_before_the_summary_and_lose_nothing(shell: Shell) -> None:
    line = shell.mistake("%%tfjs_convert --samples rows -o web\nrows = [[1.0] * 5]\nmake()")
    assert "samples for" in line
    assert shell.texts() == []
    assert shell.ns["web"].format == "layers-model"


def test_samples_of_several_sizes_are_taken_above_a_conversion(shell: Shell) -> None:
    shell.succeed("model = keras.Sequential([keras.Input((None, 2)), keras.layers.GlobalMaxPooling1D()])")
    shell.succeed("import numpy as np")
    samples = "{[np.ones((1, 3, 2)), np.ones((1, 5, 2))]}"
    bench = shell.succeed(f"%tfjs_convert model --samples {samples}")
    assert [state["series"]["label"] for state in bench.snapshot["jobs"]] == ["3×2", "5×2"]


def test_help_shows_the_help_and_runs_nothing(shell: Shell) -> None:
    shell.succeed("%%tfjs_convert --runs many --help\nran = True")
    assert shell.texts() == [shell.shell.find_line_magic("tfjs_convert").__doc__]
    assert "ran" not in shell.ns
    shell.succeed("%tfjs_benchmark -h")
    assert "side by side" in shell.texts()[0]


def test_a_target_that_exists_is_noticed_before_the_body_runs(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "model.json").touch()
    assert "holds a model.json" in shell.mistake(f"%%tfjs_convert --save {tmp_path}\nran = True\nmake()")
    assert "ran" not in shell.ns


def test_quantization_under_a_bound_is_measured_on_the_samples(shell: Shell) -> None:
    shell.succeed("model = make()\nx = keras.random.normal((20, 4), seed=1).numpy()")
    shell.succeed("%tfjs_convert model --quantize auto --max-error 0.1 --samples x --no-benchmark -o web")
    report = shell.ns["web"].report
    assert "uint8" in {row.dtype for row in report.weights}
    assert "on 15 samples" in report.notes[-1]


def test_loops_are_unrolled_as_the_line_says(shell: Shell) -> None:
    shell.succeed("import keras; net = keras.Sequential([keras.Input((4, 2)), keras.layers.GRU(3)])")
    shell.succeed("%tfjs_convert net --format graph --no-benchmark -o straight")
    shell.succeed("%tfjs_convert net --format graph --unroll none --no-benchmark -o loop")
    assert "LoopCond" not in shell.ns["straight"].report.ops
    assert "LoopCond" in shell.ns["loop"].report.ops
    assert "--unroll is 'some'; expected one of auto, all, none" in shell.mistake("%tfjs_convert net --unroll some")


def test_a_converted_model_is_converted_again(shell: Shell) -> None:
    shell.succeed("%tfjs_convert {make()} --no-benchmark -o web")
    shell.succeed("%tfjs_convert web --quantize uint8 --no-benchmark -o small")
    assert shell.ns["small"].nbytes < shell.ns["web"].nbytes


def test_models_are_benchmarked_side_by_side_under_their_names(shell: Shell) -> None:
    shell.succeed("%tfjs_convert {make()} --no-benchmark -o web")
    shell.succeed("other = make(5)")
    bench = shell.succeed("%tfjs_benchmark web --runs 3 other")
    assert [card["label"] for card in bench.snapshot["models"]] == ["web", "other"]


def test_running_a_cell_again_closes_its_widget_and_frees_its_model(shell: Shell) -> None:
    cell = "%tfjs_convert {make()} --runs 3"
    first = shell.succeed(cell)
    model = weakref.ref(first._session._contenders[0].model)
    second = shell.succeed(cell)
    assert (first._closed, second._closed) == (True, False)
    gc.collect()
    assert model() is None


def test_unload_takes_everything_away_and_nothing_else(shell: Shell) -> None:
    ip = shell.shell
    matchers = len(ip.Completer.custom_matchers)
    transforms = list(ip.input_transformers_cleanup)
    ip.run_line_magic("unload_ext", "tfjs_magic")
    assert [name for kind in ip.magics_manager.magics.values() for name in kind if "tfjs" in name] == []
    assert len(ip.Completer.custom_matchers) == matchers - 1
    assert len(ip.input_transformers_cleanup) == len(transforms) - 1
    ip.run_line_magic("load_ext", "tfjs_magic")


@pytest.fixture
def tab(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What TAB offers at the end of a cell, as the kernel is told, in a directory with a model and more."""
    monkeypatch.chdir(tmp_path)
    for name in ("models/inner", "my dir", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "mono.keras").touch()
    (tmp_path / "more.txt").touch()
    shell.succeed("my_model = make()\nmy_number = x_test = 3\nmy_function = make\nimport os as my_module")

    def offered(cell: str) -> list[str]:
        with provisionalcompleter():
            found = [*shell.shell.Completer.completions(cell, len(cell))]
        return [cell[: one.start] + one.text for one in found]

    return offered


FLAGS = ["--metadata", "--metric"]


OFFERED = {
    "%tfjs_convert my_model --met": FLAGS,
    "%%tfjs_convert --met": FLAGS,
    "bench = %tfjs_convert my_model --met": FLAGS,
    "x = 1\nbench = %tfjs_benchmark my_model --mi": ["--min-time"],
    "%tfjs_convert m --skip_op": ["--skip-op-check"],
    "%tfjs_benchmark --q": ["--q"],  # nothing that it has; nor anything else
    "%tfjs_convert m --format ": ["auto", "layers", "graph", "both"],
    "%tfjs_convert m --format=g": ["--format=graph"],
    "%tfjs_convert m --quantize=u": ["--quantize=uint8", "--quantize=uint16"],
    "%tfjs_convert m --backend wasm,we": ["wasm,webgpu", "wasm,webgl"],
    "%tfjs_convert m --backend=wasm,": [f"--backend=wasm,{name}" for name in ("webgpu", "webgl", "cpu")],
    "%tfjs_convert m --runs ": [""],
    "%tfjs_convert m --save mo": ["models/"],
    "%tfjs_convert m --save=models/": ["--save=models/inner/"],
    "%tfjs_convert m --samples ": ["my_model", "my_number", "x_test"],
    "%tfjs_convert m --samples x_": ["x_test"],
    "%tfjs_convert ": ["my_model"],
    "%tfjs_convert my_": ["my_model"],
    "%tfjs_convert m": ["my_model"],
    "%tfjs_convert mo": ["models/", "mono.keras"],
    "bench = %tfjs_benchmark my": ["my_model"],
}


def test_tab_offers_what_fits_and_nothing_else(tab: Any) -> None:
    def typed(cell: str) -> int:
        """Where the word that is completed begins."""
        return max(cell.rfind(" "), cell.rfind("\n")) + 1

    assert {cell: [text[typed(cell) :] for text in tab(cell)] for cell in OFFERED} == OFFERED


def test_tab_leaves_what_is_pythons_to_others(tab: Any) -> None:
    assert len(tab("%%tfjs_convert\nmy_")) >= len({"my_model", "my_number", "my_function", "my_module"})
    for cell in ("my_", "%tfjs_convert my_model.lay", "%tfjs_con", "%tfjs_convert m --samples my_model.l"):
        assert tab(cell), cell


def test_a_step_that_takes_long_is_named_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(magics, "STATUS_DELAY_S", 0.05)
    monkeypatch.setattr(magics, "publish_display_data", lambda data, **how: shown.append((data, how)))
    with magics._Status() as status:
        status.step("quick")
        status.step("<trace>")
        time.sleep(0.5)
    (named, first), (emptied, last) = shown
    assert (named["text/plain"], named["text/html"]) == ("Converting: <trace> …", "Converting: &lt;trace&gt; …")
    assert (emptied, first["update"], last["update"]) == ({}, False, True)
    assert first["transient"] == last["transient"]


def test_a_quick_conversion_shows_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(magics, "publish_display_data", lambda data, **_: shown.append(data))
    with magics._Status() as status:
        status.step("quick")
    assert shown == []


@pytest.mark.parametrize(("level", "kept"), [("2", ""), ("0", "C++")])
def test_what_tensorflow_logs_is_not_shown_in_red(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, level: str, kept: str
) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())  # a kernel's goes another way than the process's
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with native_stderr_silenced():
        os.write(2, b"C++")
    os.write(2, b" after")
    assert capfd.readouterr().err == f"{kept} after"


def test_help_is_complete(shell: Shell) -> None:
    for magic, words in (
        ("tfjs_convert", ("--format", "--samples", "--dry-run", "Examples", "%%tfjs_convert --backend wasm,webgl")),
        ("tfjs_benchmark", ("--runs", "Examples")),
    ):
        text = shell.shell.find_line_magic(magic).__doc__
        assert [word for word in words if word not in text] == []
