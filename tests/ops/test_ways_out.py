"""What a refusal recommends, works."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.graph_text import parse_graph
from tests.sources.v1_models import normal
from tfjs_magic import convert
from tfjs_magic.errors import ConversionError, UnsupportedModelError, UnsupportedOpsError
from tfjs_magic.ops.check import check_ops


def _refused(text: str, *named: str) -> str:
    with pytest.raises(UnsupportedOpsError) as caught:
        check_ops(parse_graph(text), named=named)
    return str(caught.value)


def test_begins_behind_all_that_tfjs_lacks() -> None:
    text = "x: float32[3]\na = Lgamma(x)\nb = Digamma(a)\nc = Neg(b)\nd = AddV2(c, b)\ny = Exp(d)\nreturn y"
    assert "To begin behind what it lacks, pass inputs={'b': shape}." in _refused(text, "a", "b", "c", "d")
    assert "pass inputs={'d': shape}." in _refused(text, "a", "c", "d")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x: float32[3]\nb = Lgamma(x)\ny = Identity(b)\nreturn y", id="nothing-behind"),
        pytest.param("x: float32[3]\nb = Lgamma(x)\ny = Exp(b)\nz = Lgamma(y)\nreturn y, z", id="no-one-tensor"),
        pytest.param("x: string[3]\nb = StringLower(x)\ny = StringUpper(b)\nz = Exp(y)\nreturn z", id="texts"),
    ],
)
def test_names_no_beginning_that_does_not_help(text: str) -> None:
    assert "To begin" not in _refused(text, "b", "y")


def _text_model() -> Any:
    text = keras.Input((1,), dtype="string")
    ids = keras.layers.TextVectorization(output_sequence_length=5, vocabulary=["a", "b", "c"])(text)
    return keras.Model(text, keras.layers.LSTM(3)(keras.layers.Embedding(6, 4, mask_zero=True)(ids)))


def _photos() -> Any:
    kernel = tf.constant(normal(3, 2))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((), tf.string, name="file")])  # type: ignore[untyped-decorator]
    def function(file: Any) -> Any:
        return tf.image.resize(tf.cast(tf.io.decode_jpeg(file, 3), tf.float32), (4, 4)) @ kernel

    return function


@pytest.mark.parametrize("make", [_text_model, _photos])
def test_the_recommended_beginning_converts(make: Any) -> None:
    source = make()
    with pytest.raises(UnsupportedOpsError) as caught:
        convert(source)
    found = re.search(r"pass inputs=\{'(.+?)': (\(.*?\)|shape)\}", str(caught.value))
    assert found is not None
    sides = None if found[2] == "shape" else [None if n == "None" else int(n) for n in re.findall(r"\w+", found[2])]
    model = convert(source, inputs={found[1]: sides})
    assert [info.name for info in model.inputs] == [found[1]]
    assert model.inputs[0].dtype == "int32"


def test_unknown_sizes_lead_to_known_ones() -> None:
    @tf.function(input_signature=[tf.TensorSpec((None, None, None), name="x")])
    def band(x: Any) -> Any:
        return tf.linalg.diag_part(x, k=(0, 1))

    with pytest.raises(
        UnsupportedOpsError, match=r"is unknown, .* Sizes that are known help: inputs={'x': \(1, …, …\)}"
    ):
        convert(band)
    convert(band, inputs={"x": (1, 4, 4)})


def test_hints_for_ops_that_have_others_in_their_place() -> None:
    text = "b: float32[1,9,1,4]\ns: float32[1,9,3]\nn = CombinedNonMaxSuppression(b, s)\nreturn n"
    assert "tf.image.non_max_suppression_padded" in _refused(text)
    assert "CUDA_VISIBLE_DEVICES=-1" in _refused("x: float32[3]\ny = CudnnRNNV3(x)\nreturn y")


@pytest.mark.filterwarnings("ignore:Layer InputLayer")
@pytest.mark.parametrize("form", ["auto", "graph"])
def test_int4_says_to_convert_before(form: Any) -> None:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="head")])
    model.quantize("int4")
    with pytest.raises(
        UnsupportedModelError, match=r"'head' to int4, .* before model\.quantize\(\), with quantize='uint8'"
    ):
        convert(model, format=form)


@pytest.mark.filterwarnings("ignore:Layer InputLayer")
def test_int8_of_keras_converts() -> None:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    model.quantize("int8")
    converted, x = convert(model), normal(2, 8)
    assert converted.reference is not None
    (got,) = converted.reference({converted.inputs[0].name: x}).values()
    assert np.allclose(got, model(x))


def test_auto_says_what_both_formats_lack_and_recommends_neither() -> None:
    inputs = keras.Input(batch_shape=(1, 4, 3))
    model = keras.Model(inputs, keras.layers.GRU(2, stateful=True)(inputs))
    with pytest.raises(ConversionError) as caught:
        convert(model)
    message = str(caught.value)
    assert "writes the variable" in message
    assert "reset_after=True" in message
    assert "format=" not in message
