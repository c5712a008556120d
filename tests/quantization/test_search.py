"""The search under a bound: what it finds holds in TF.js, and what cannot be met is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import models
from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.passes.operands import random_array
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import ConversionError, OptionError, UnsupportedModelError
from tfjs_magic.options import AutoQuantize
from tfjs_magic.quantization.runner import runner

EXAMPLES = 40


def _samples(model: Any, count: int = EXAMPLES) -> dict[str, Array]:
    generator = np.random.default_rng(1)
    return {
        tensor.name: generator.normal(size=(count, *tensor.shape[1:])).astype(np.float32) for tensor in model.inputs
    }


def _error(model: Any, outputs: Mapping[str, Array], samples: Mapping[str, Array]) -> float:
    want = models.keras_outputs(model, samples)
    return max(float(np.abs(outputs[name] - want[name]).max() / np.abs(want[name]).max()) for name in want)


def _dtypes(web: Any) -> set[str]:
    return {row.dtype for row in web.report.weights if row.dtype != "float32"}


@pytest.mark.parametrize("form", ["graph", "layers"])
@pytest.mark.parametrize("bound", [0.02, 0.002, 0.0005])
def test_the_bound_holds_in_tfjs_and_the_source_stays(tfjs_node: TfjsNode, form: Any, bound: float) -> None:
    model = models.small_cnn()
    before = [weight.numpy().copy() for weight in model.weights]
    samples = _samples(model)
    web = convert(model, format=form, quantize=AutoQuantize(samples=samples, max_error=bound, held_back=0))
    assert all(np.array_equal(old, new.numpy()) for old, new in zip(before, model.weights, strict=True))
    result = tfjs_node.run(web, samples, "cpu")
    assert _error(model, result, samples) <= bound * 1.01
    assert_matches(tfjs_node.run(web, samples, "wasm"), result, tolerance=1e-5)
    exact = convert(model, format=form)
    assert web.nbytes < exact.nbytes
    assert f"max_error={bound:g}" in web.report.notes[-1]


def test_a_looser_bound_makes_it_no_larger_and_the_same_twice_gives_the_same() -> None:
    model = models.small_cnn()
    found = [
        convert(model, format="graph", quantize=AutoQuantize(samples=_samples(model), max_error=bound))
        for bound in (0.0005, 0.005, 0.05, 0.05)
    ]
    sizes = [web.nbytes for web in found]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]
    assert found[2].groups[0].parts == found[3].groups[0].parts


@pytest.mark.parametrize(
    "bound",
    [
        pytest.param({"min_cosine": 0.9999}, id="cosine"),
        pytest.param({"min_top1": 0.9}, id="top-1"),
        pytest.param({"min_accuracy": 0.9, "labels": "own"}, id="accuracy"),
        pytest.param({"metric": lambda outputs, _: -float(np.abs(outputs[0]).max()), "min_metric": -1e9}, id="metric"),
    ],
)
def test_every_bound_is_kept_on_all_samples(bound: dict[str, Any]) -> None:
    model = models.small_cnn()
    samples = _samples(model)
    (want,) = models.keras_outputs(model, samples).values()
    if bound.get("labels") == "own":
        bound = {**bound, "labels": want.argmax(-1)}
    auto = AutoQuantize(samples=samples, held_back=0.5, **bound)
    web = convert(model, format="graph", quantize=auto)
    assert _dtypes(web)
    name = next(name for name in bound if name.startswith("min"))
    assert f"{name}=" in web.report.notes[-1]
    assert "that were held back" in web.report.notes[-1]


def test_weights_that_matter_more_keep_more_bits() -> None:
    """A kernel that is multiplied by 1000 afterwards is raised first."""
    import keras

    inputs = keras.Input((20,), name="x")
    small = keras.layers.Dense(16, name="small")(inputs)
    large = keras.layers.Dense(16, name="large")(inputs)
    large = keras.layers.Rescaling(1000.0)(large)
    model = models.randomised(keras.Model(inputs, keras.layers.Add()([small, large])))
    auto = AutoQuantize(samples=_samples(model), max_error=0.001)
    rows = {row.name: row for row in convert(model, format="layers", quantize=auto).report.weights}
    kernels = {name.partition("/")[0]: row for name, row in rows.items() if name.endswith("kernel")}
    assert kernels["small"].dtype == "uint8"
    assert kernels["large"].dtype in {"uint16", "float16"}
    assert (kernels["large"].adds or 0) > 100 * (kernels["small"].adds or 0)


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_a_bound_that_nothing_meets_is_told_with_the_nearest(form: Any) -> None:
    model = models.small_cnn()
    with pytest.raises(ConversionError, match=r"No quantization meets max_error=1e-09: with two bytes .* of \d.*e-0"):
        convert(model, format=form, quantize=AutoQuantize(samples=_samples(model), max_error=1e-9))


def test_a_bound_that_the_model_itself_misses_is_told() -> None:
    model = models.small_cnn()
    samples = _samples(model)
    (want,) = models.keras_outputs(model, samples).values()
    auto = AutoQuantize(samples=samples, labels=(want.argmax(-1) + 1) % want.shape[-1], min_accuracy=0.9)
    with pytest.raises(ConversionError, match=r"In float32 the model has an accuracy of 0 on \d+ samples"):
        convert(model, format="graph", quantize=auto)


def test_samples_and_labels_must_fit() -> None:
    model = models.small_cnn()
    with pytest.raises(OptionError, match="labels are 3 for 40 samples"):
        convert(model, quantize=AutoQuantize(samples=_samples(model), labels=[1, 2, 3], min_accuracy=0.5))
    with pytest.raises(OptionError, match="have shape"):
        convert(model, quantize=AutoQuantize(samples=np.zeros((4, 3)), max_error=0.1))


def test_a_model_with_a_fixed_batch_runs_in_its_batches() -> None:
    import keras

    inputs = keras.Input(batch_shape=(4, 12), name="x")
    model = models.randomised(keras.Model(inputs, keras.layers.Dense(8)(inputs)))
    web = convert(model, format="graph", quantize=AutoQuantize(samples=_samples(model), max_error=0.05))
    assert _dtypes(web)
    assert "on 32 samples, " in web.report.notes[-1]
    assert "on 8 that were held back" in web.report.notes[-1]


def test_a_metric_that_the_samples_held_back_miss_is_searched_tighter() -> None:
    """Half of the way from float32's value, which is not 1, to the bound."""
    model = _dense()
    (logits,) = models.keras_outputs(model, {"x": X}).values()

    def error(outputs: Any, want: Array) -> float:
        return float(np.abs(outputs[0] - want).max())

    coarse = convert(model, format="graph", quantize=AutoQuantize(samples=X, max_error=9))
    of_uint8 = error(runner(coarse)({}, {"x": X[:30]}), logits[:30])
    auto = AutoQuantize(
        samples=X,
        labels=logits,
        metric=lambda outputs, want: 0.9 - (1 if len(want) == 30 else 3) * error(outputs, want),
        min_metric=0.9 - 1.2 * of_uint8,
    )
    web = convert(model, format="graph", quantize=auto)
    assert coarse.nbytes < web.nbytes < 0.6 * convert(model, format="graph").nbytes


def test_two_bytes_are_taken_where_the_search_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample has chosen them, so that both halves may judge."""
    monkeypatch.setattr("tfjs_magic.quantization.search._TIGHTER", -1)
    web = convert(_dense(), quantize=AutoQuantize(samples=X, max_error=1e-3))
    assert _dtypes(web) <= {"uint16", "float16"}


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_an_input_of_one_number_and_a_state_that_is_kept_are_no_obstacle(form: Any) -> None:
    import keras
    import tensorflow as tf

    if form == "layers":
        model: Any = keras.Sequential(
            [keras.Input(batch_shape=(4, 2, 8), name="x"), keras.layers.SimpleRNN(3, stateful=True)]
        )
        samples: Any = np.random.default_rng(0).normal(size=(16, 2, 8))
    else:
        kernel = random_array("kernel", 8, 8)
        specs = [tf.TensorSpec((None, 8), name="x"), tf.TensorSpec((), name="t")]
        model = tf.function(lambda x, t: tf.nn.bias_add(x @ kernel, kernel[0]) * t, input_signature=specs)
        samples = {"x": X, "t": np.float32(2)}
    web = convert(model, format=form, quantize=AutoQuantize(samples=samples, max_error=0.05))
    assert _dtypes(web)


def _branches() -> Any:
    import tensorflow as tf

    kernel, bias = random_array("kernel", 8, 8), random_array("bias", 8)
    return tf.function(
        lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x @ kernel + bias, lambda: x @ (2 * kernel) - bias),
        input_signature=[tf.TensorSpec((None, 8), name="x")],
    )


def _sequence_of_any_length() -> Any:
    import keras

    layers = keras.layers
    return models.randomised(
        keras.Sequential([keras.Input((None, 8), name="x"), layers.LSTM(6), layers.Dense(8), layers.Dense(4)])
    )


@pytest.mark.parametrize(
    ("build", "shape"),
    [pytest.param(_branches, (8,), id="branches"), pytest.param(_sequence_of_any_length, (5, 8), id="loop")],
)
def test_kernels_in_branches_and_loops_are_tried(tfjs_node: TfjsNode, build: Any, shape: tuple[int, ...]) -> None:
    """Biases inside take up no mean: a branch has none where the other one runs, a loop one for each round."""
    model, samples = build(), np.random.default_rng(1).normal(size=(EXAMPLES, *shape)).astype(np.float32)
    exact, web = (
        convert(model, format="graph", quantize=quantize)
        for quantize in (None, AutoQuantize(samples=samples, max_error=0.02, held_back=0))
    )
    assert _dtypes(web)
    inside = [name for name in web.weights if "lstm" in name or build is _branches]
    assert all(np.array_equal(web.weights[name], exact.weights[name]) for name in inside if web.weights[name].ndim == 1)
    for backend in ("cpu", "wasm"):
        want, have = (
            np.concatenate(
                [
                    next(iter(result.values()))
                    for result in tfjs_node.run_each(found, [{"x": samples[:32]}, {"x": samples[32:]}], backend)  # type: ignore[arg-type]
                ]
            )
            for found in (exact, web)
        )
        assert 0 < np.abs(have - want).max() <= 0.021 * np.abs(want).max()


def test_lookup_tables_are_refused_with_a_way_out() -> None:
    import keras

    words = keras.Input((), dtype="string", name="word")
    ids = keras.layers.StringLookup(vocabulary=["a", "b"])(words)
    model = keras.Model(words, keras.layers.Dense(2)(keras.layers.Embedding(3, 4)(ids)))
    with pytest.raises(UnsupportedModelError, match=r"lookup tables.* quantize=\{'uint8'"):
        convert(model, quantize=AutoQuantize(samples=np.array(["a", "b"]), max_error=0.1))


def _dense(classes: int = 5, units: int = 16) -> Any:
    import keras

    inputs = keras.Input((8,), name="x")
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    return models.randomised(keras.Model(inputs, keras.layers.Dense(classes)(hidden)))


X = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("samples", "found"),
    [
        pytest.param(iter(X), "gives its examples one by one", id="iterator"),
        pytest.param((x for x in X), "is a generator, which", id="generator"),
        pytest.param(X[:0], "hold 0 examples", id="none"),
        pytest.param(np.where(X > 2, np.nan, X), "samples for 'x' hold NaN", id="nan"),
        pytest.param(X[:, :3], r"have shape \(40, 3\); expected \(batch, 8\)", id="shape"),
        pytest.param(X.astype(str), "samples for 'x' are <U32; expected float32", id="texts"),
    ],
)
def test_samples_that_say_nothing_are_refused(samples: Any, found: str) -> None:
    with pytest.raises(OptionError, match=found):
        convert(_dense(), format="graph", quantize=AutoQuantize(samples=samples, max_error=0.1))


def test_a_dataset_is_refused_with_a_way_out() -> None:
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(X).batch(8)
    with pytest.raises(OptionError, match=r"one by one; expected arrays .* numpy\.concatenate"):
        convert(_dense(), quantize=AutoQuantize(samples=dataset, max_error=0.1))


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        pytest.param(np.eye(5)[np.arange(40) % 5], r"of shape \(5,\) for each example, .*argmax", id="one-hot"),
        pytest.param(np.arange(40) % 5 + 1, "for each example, 1 to 5; expected .* 0 to 4", id="from-one"),
        pytest.param(["a"] * 40, "labels are <U1 of shape", id="texts"),
        pytest.param(3, "labels are a single int for 40 samples", id="one-number"),
        pytest.param([[1], [1, 2]] * 20, "labels are no array", id="ragged"),
    ],
)
def test_labels_that_are_no_classes_are_refused(labels: Any, found: str) -> None:
    with pytest.raises(OptionError, match=found):
        convert(_dense(), quantize=AutoQuantize(samples=X, labels=labels, min_accuracy=0.1))


def test_the_five_largest_may_be_compared() -> None:
    web = convert(_dense(classes=10), quantize=AutoQuantize(samples=X, min_top5=1.0))
    assert "min_top5=1" in web.report.notes[-1]


def test_labels_may_stand_in_a_column() -> None:
    model = _dense()
    (logits,) = models.keras_outputs(model, {"x": X}).values()
    auto = AutoQuantize(samples=X, labels=logits.argmax(-1)[:, None], min_accuracy=0.9)
    assert "an accuracy of 1 on 30 samples" in convert(model, quantize=auto).report.notes[-1]


@pytest.mark.parametrize(
    "bound", [{"min_top1": 0.9}, {"min_top5": 0.9}, {"min_accuracy": 0.1, "labels": np.zeros(40)}], ids=str
)
def test_a_bound_on_classes_needs_classes(bound: dict[str, Any]) -> None:
    """One number has always the same place: such a bound would hold whatever comes out."""
    with pytest.raises(OptionError, match=r"output 0 has shape \(\d+, 1\); expected at least [26] there"):
        convert(_dense(classes=1), quantize=AutoQuantize(samples=X, **bound))


def _returns(value: Any) -> Any:
    return lambda *_: value


@pytest.mark.parametrize(
    ("metric", "error", "found"),
    [
        pytest.param(_returns(None), OptionError, "metric returned None; expected a number", id="none"),
        pytest.param(_returns(np.ones(3)), OptionError, "metric returned array", id="array"),
        pytest.param(_returns(np.nan), ConversionError, "a metric of nan on 30 samples", id="nan"),
        pytest.param(lambda *_: 1 / 0, OptionError, "metric raised ZeroDivisionError: division", id="raises"),
    ],
)
def test_a_metric_that_fails_is_told(metric: Any, error: type[Exception], found: str) -> None:
    with pytest.raises(error, match=found):
        convert(_dense(), quantize=AutoQuantize(samples=X, metric=metric, min_metric=1))


def test_an_interrupted_search_leaves_nothing_behind() -> None:
    model, calls = _dense(), []

    def interrupts(*_: Any) -> float:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return 1.0

    before = [weight.numpy().copy() for weight in model.weights]
    with pytest.raises(KeyboardInterrupt):
        convert(model, quantize=AutoQuantize(samples=X, metric=interrupts, min_metric=1))
    assert all(np.array_equal(old, new.numpy()) for old, new in zip(before, model.weights, strict=True))
    assert _dtypes(convert(model, quantize=AutoQuantize(samples=X, max_error=0.1)))


@pytest.mark.parametrize("form", ["graph", "layers"])
def test_one_sample_is_enough(form: Any) -> None:
    web = convert(_dense(), format=form, quantize=AutoQuantize(samples=X[:1], max_error=0.1))
    assert "on 1 samples" in web.report.notes[-1]


def test_samples_that_the_model_cannot_run_are_told() -> None:
    import keras

    ids = keras.Input((6,), dtype="int32", name="ids")
    model = keras.Model(ids, keras.layers.Flatten()(keras.layers.Embedding(20, 4)(ids)))
    for form in ("graph", "layers"):
        with pytest.raises(OptionError, match=r"The model does not run on these samples: .*20\)"):
            convert(model, format=form, quantize=AutoQuantize(samples=np.full((9, 6), 99), max_error=0.1))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0.0, 3.0, np.inf, 1e38], ids=str)
def test_kernels_of_strange_values_are_coded_or_left(value: float) -> None:
    model = _dense()
    kernel = np.full((8, 16), 0.1, np.float32)
    kernel[:, 0] = value
    model.layers[1].set_weights([kernel, np.zeros(16, np.float32)])
    try:
        web = convert(model, format="graph", quantize=AutoQuantize(samples=X, max_error=0.5))
    except ConversionError as error:
        assert "nan" in str(error)  # noqa: PT017 - infinite weights may or may not reach an output
    else:
        assert np.isfinite(value) or any(row.dtype == "float32" for row in web.report.weights)


def test_outputs_that_are_always_the_same_are_told() -> None:
    model = _dense()
    model.layers[1].set_weights([np.zeros((8, 16), np.float32), np.ones(16, np.float32)])
    web = convert(model, quantize=AutoQuantize(samples=X, max_error=0.1))
    assert "all samples give the same outputs" in web.report.notes[-1]


def test_a_model_without_kernels_and_one_with_codes_are_told() -> None:
    import keras

    model = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Rescaling(2.0)])
    auto = AutoQuantize(samples=X, max_error=0.1)
    with pytest.raises(ConversionError, match="it has no float32 kernel"):
        convert(model, quantize=auto)
    with pytest.raises(ConversionError, match="2 of its weights have their codes already"):
        convert(convert(_dense(), quantize="uint8"), quantize=auto)


def test_a_model_whose_output_is_one_number_can_be_measured() -> None:
    import keras

    inputs = keras.Input((8,), name="x")
    model = keras.Model(inputs, keras.ops.mean(keras.layers.Dense(6)(inputs)))
    assert _dtypes(convert(model, quantize=AutoQuantize(samples=X, max_error=0.1)))


def test_progress_tells_what_is_done() -> None:
    model = models.small_cnn()
    told: list[str] = []
    convert(model, quantize=AutoQuantize(samples=_samples(model), max_error=0.01), progress=told.append)
    assert "quantize" in told
    assert any(step.startswith("quantize: search") for step in told)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param({}, "no bound; expected one of max_error", id="none"),
        pytest.param({"max_error": 0.1, "min_top1": 0.9}, "max_error and min_top1", id="two"),
        pytest.param({"max_error": -1}, "expected a relative error from 0", id="negative"),
        pytest.param({"min_top1": 99}, "min_top1 is 99; expected 0 to 1", id="percent"),
        pytest.param({"max_error": "0.1"}, "expected a number", id="text"),
        pytest.param({"min_metric": 0.5}, "belong together", id="no-metric"),
        pytest.param({"metric": len, "max_error": 1}, "belong together", id="no-min-metric"),
        pytest.param({"metric": 3, "min_metric": 0.5}, "expected a function", id="no-function"),
        pytest.param({"min_accuracy": 0.5}, "needs labels=", id="no-labels"),
        pytest.param({"max_error": 0.1, "held_back": 1}, "held_back is 1", id="held-back"),
    ],
)
def test_options_are_checked(options: dict[str, Any], found: str) -> None:
    with pytest.raises(OptionError, match=found):
        AutoQuantize(samples=np.zeros(3), **options)


def test_a_scalar_input_goes_along_with_every_sample() -> None:
    kernel = tf.Variable(np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32))
    specs = [tf.TensorSpec([None, 16], name="x"), tf.TensorSpec([], name="scale")]
    scaled = tf.function(lambda x, scale: {"y": tf.matmul(x, kernel) * scale}, input_signature=specs)
    x = np.random.default_rng(1).normal(size=(40, 16)).astype(np.float32)
    found = convert(scaled, quantize=AutoQuantize(samples={"x": x, "scale": np.float32(2)}, max_error=0.05))
    assert any(spec.quantization for group in found.groups for spec in group.specs)
