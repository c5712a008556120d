"""Hints hold numbers that are counted in the model, and following them does what they say."""

from __future__ import annotations

import re

import keras

from tfjs_magic.pipeline import convert


def _vgg_head() -> keras.Model:
    x = keras.Input((64, 64, 3), name="image")
    y = keras.layers.Conv2D(8, 3, name="conv")(x)
    return keras.Model(x, keras.layers.Dense(64, name="head")(keras.layers.Flatten()(y)))


def test_names_the_layer_that_holds_most_of_the_bytes() -> None:
    for form in ("layers", "graph"):
        largest, float16 = convert(_vgg_head(), format=form).report.advice[:2]
        assert re.fullmatch(r"'.*head' alone holds 100 % of the 7\.9 MB of weights: .*", largest)
        assert "download 3.9 MB instead of 7.9 MB" in float16
        smaller = convert(_vgg_head(), format=form, quantize="float16")
        assert abs(smaller.nbytes - 3.9e6) < 0.1e6
        assert not any("float16" in hint for hint in smaller.report.advice)


def test_small_models_need_no_advice() -> None:
    assert convert(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])).report.advice == ()


def test_counts_the_nodes_that_a_fixed_size_removes() -> None:
    x = keras.Input((8, 8, 4), name="x")
    y = keras.layers.GroupNormalization(2)(keras.layers.Conv2DTranspose(4, 3, strides=2)(x))
    model = keras.Model(x, keras.layers.Reshape((17, 68))(y))
    free = convert(model, format="graph", target="webgl")
    (hint,) = free.report.advice
    found = re.match(r"(\d+) of the (\d+) executed nodes only compute shapes; inputs=\{'x': \(1, 8, 8, 4\)\}", hint)
    assert found is not None
    fixed = convert(model, format="graph", target="webgl", inputs={"x": (1, 8, 8, 4)})
    assert fixed.report.advice == ()
    assert sum(free.report.ops.values()) == int(found[2])
    assert sum(fixed.report.ops.values()) == int(found[2]) - int(found[1])


def test_guesses_no_height() -> None:
    x = keras.Input((None, None, 4), name="x")
    y = keras.layers.Conv2DTranspose(4, 3, strides=2)(x)
    model = keras.Model(x, keras.layers.GroupNormalization(2)(y))
    (hint,) = convert(model, format="graph", target="webgl").report.advice
    assert "inputs={'x': (1, …, …, 4)}, or whatever sizes they always have" in hint


def test_says_what_another_target_would_do() -> None:
    x = keras.Input((4, 4, 2), name="x")
    model = keras.Model(x, keras.layers.Conv2DTranspose(3, 2, 2)(x))
    fixed = {"inputs": {"x": (1, 4, 4, 2)}}
    auto, gpu = (convert(model, format="graph", target=target, **fixed) for target in ("auto", "webgl"))
    assert auto.report.ops == gpu.report.ops
    assert "Conv2DBackpropInput" in auto.report.ops
    (hint,) = auto.report.advice
    assert hint.startswith("target='wasm' would take less time on wasm, and more on webgl and webgpu: ")
    assert "split_conv2d_transpose (1)" in hint
    assert gpu.report.advice == ()
    wasm = convert(model, format="graph", target="wasm", **fixed).report
    assert "Conv2DBackpropInput" not in wasm.ops
    assert (wasm.advice, wasm.notes) == (
        (),
        ("The graph is made fast for wasm; other backends compute the same, and may take longer.",),
    )
    assert convert(model, format="layers", target="wasm").report.notes == ("target='wasm' changes graph models only.",)


def test_loops_get_no_promise() -> None:
    model = keras.Sequential([keras.Input((8, 4)), keras.layers.LSTM(3)])
    assert convert(model, format="graph", unroll=False).report.advice == ()
