"""The softmax of the heads of attention becomes one softmax after the other."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.models import randomised
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tfjs_magic import convert
from tfjs_magic.passes import remove_identities, split_softmax

PASSES = [split_softmax.PASS]
_BEFORE = [remove_identities.PASS]  # TensorFlow puts one behind a large constant
_SPECS = [tf.TensorSpec((64, 128), name=name) for name in "abcd"]
_FEW = "a mask meets less than 32768 scores"
_FORM = "it is split in another form"
_MIXED, _USED = "a mask is computed for each head", "something else uses what lies between"


def _softmax(scores: Any, shape: Any = (1, 4, 64, 128), *, mask: Any = None, parts: int = 4) -> list[Any]:
    """Return the softmax of four scores (64, 128), as split_products writes it."""
    x = tf.reshape(tf.concat(scores, 0), shape)
    x = tf.nn.softmax(x if mask is None else x + mask)
    return tf.split(tf.reshape(x, (-1, x.shape[-1])), parts, 0)


def _products(parts: list[Any]) -> dict[str, Any]:
    """Return something that tells the parts apart."""
    return {str(i): tf.matmul(part, part, transpose_b=True) for i, part in enumerate(parts)}


@pytest.mark.parametrize("shape", [(1, 4, 64, 128), (4, 64, 128), (2, 2, 64, 128), (256, 128)], ids=str)
def test_splits(tfjs_node: TfjsNode, shape: Any) -> None:
    if len(shape) > 2:
        check_lowering(tfjs_node, PASSES, lambda *x: _products(_softmax(x, shape)), *_SPECS)
    else:
        assert refusals(PASSES, lambda *x: _products(_softmax(x, shape)), *_SPECS, lacking=False) == {
            "the last axes are others there"
        }


@pytest.mark.parametrize(
    "shape",
    [(), (128,), (64, 1), (64, 128), (1, 1, 64, 128), (1, 4, 1, 1), (1, 4, 64, 128), (4, 1, 128), (1, 4, 64, 1)],
    ids=str,
)
def test_adds_a_constant_to_each_head(tfjs_node: TfjsNode, shape: Any) -> None:
    mask = 3 * random_array("mask", *shape)
    check_lowering(tfjs_node, PASSES, lambda *x: _products(_softmax(x, mask=mask)), *_SPECS, after=_BEFORE)


@pytest.mark.parametrize("shape", [(), (128,), (64, 1), (1, 1, 64, 128), (1, 1, 1, 128)], ids=str)
def test_adds_what_is_computed_for_all_heads(tfjs_node: TfjsNode, shape: Any) -> None:
    function = lambda m, *x: _products(_softmax(x, mask=tf.exp(m)))  # noqa: E731
    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec(shape, name="m"), *_SPECS)


def test_batches_of_heads_have_masks_of_their_own(tfjs_node: TfjsNode) -> None:
    mask = 3 * random_array("mask", 2, 1, 64, 128)
    check_lowering(
        tfjs_node, PASSES, lambda *x: _products(_softmax(x, (2, 2, 64, 128), mask=mask)), *_SPECS, after=_BEFORE
    )


def test_adds_masks_one_after_the_other(tfjs_node: TfjsNode) -> None:
    def function(m: Any, *scores: Any) -> Any:
        x = m + (tf.reshape(tf.concat(scores, 0), (1, 4, 64, 128)) + random_array("mask", 64, 128))
        return _products(tf.split(tf.reshape(tf.nn.softmax(x), (-1, 128)), 4, 0))

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((1, 1, 1, 128), name="m"), *_SPECS, after=_BEFORE)


def _two_uses(*scores: Any) -> Any:
    x = tf.nn.softmax(tf.reshape(tf.concat(scores, 0), (4, 64, 128)))
    return _products(tf.split(tf.reshape(x, (-1, 128)), 4, 0)) | {"all": x}


def _parts_of(form: Any) -> Any:
    def function(*scores: Any) -> list[Any]:
        x = tf.nn.softmax(tf.reshape(tf.concat(scores, 0), (4, 64, 128)))
        return tf.split(tf.reshape(x, form), 4, 0)

    return function


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        pytest.param(_two_uses, _USED, id="two-uses"),
        pytest.param(_parts_of((4, 64, 128)), _FORM, id="parts-with-an-axis-of-one"),
        pytest.param(_parts_of((64, 512)), _FORM, id="wider-parts"),
        pytest.param(lambda *x: _products(_softmax(x, (4, 128, 64))), "the last axes are others there", id="others"),
        pytest.param(
            lambda *x: _products(_softmax(x, mask=tf.reshape(tf.exp(tf.concat(x, 1)), (1, 4, 64, 128)))),
            _MIXED,
            id="mask",
        ),
        pytest.param(lambda *x: _products(_softmax([y[:32] for y in x], (4, 32, 128), mask=x[0][:32])), _FEW, id="few"),
        pytest.param(lambda *x: _products(_softmax(x, parts=8)), None, id="other-parts"),
        pytest.param(lambda *x: _products(tf.split(tf.concat(x, 0), 4, 0)), None, id="no-softmax"),
        pytest.param(
            lambda *x: _products(tf.split(tf.nn.softmax(tf.concat(x, 1)), 4, 1)), None, id="along-the-last-axis"
        ),
        pytest.param(lambda *x: _products(tf.split(tf.nn.softmax(tf.exp(x[0])), 4, 0)), None, id="no-heads"),
    ],
)
def test_refuses(function: Any, reason: str | None) -> None:
    assert refusals(PASSES, function, *_SPECS, lacking=False) == ({reason} if reason else set())


def test_chains_of_sums_take_no_time() -> None:
    def function(x: Any) -> Any:
        for _ in range(60):
            x = x + x
        return tf.split(tf.nn.softmax(x), 4, 0)

    assert refusals(PASSES, function, _SPECS[0], lacking=False) == set()


@pytest.mark.parametrize("mask", ["none", "causal", "keys", "pairs"])
def test_attention_for_wasm_has_a_softmax_for_each_head(tfjs_node: TfjsNode, mask: str) -> None:
    rows, columns, heads = 96, 96 if mask == "causal" else 120, 4
    x, y = keras.Input((rows, 64), name="x"), keras.Input((columns, 48), name="y")
    seen = keras.Input((1 if mask == "keys" else rows, columns), dtype="bool", name="seen")
    has_mask = mask in {"keys", "pairs"}
    attention = keras.layers.MultiHeadAttention(heads, 16)
    z = attention(x, y, attention_mask=seen if has_mask else None, use_causal_mask=mask == "causal")
    model = randomised(keras.Model([x, y, seen] if has_mask else [x, y], keras.layers.Dense(3)(z)))
    rng = np.random.default_rng(0)
    feed = {
        "x": rng.normal(size=(1, rows, 64)).astype(np.float32),
        "y": rng.normal(size=(1, columns, 48)).astype(np.float32),
    }
    if has_mask:
        feed["seen"] = rng.random((1, *seen.shape[1:])) < 0.7
    result = convert(model, format="graph", target="wasm", inputs={name: value.shape for name, value in feed.items()})
    assert result.report.ops["Softmax"] == heads
    assert result.report.ops.get("AddV2", 0) == heads * (mask != "none")
    want = np.asarray(model(feed))
    for backend in ("cpu", "wasm"):
        (got,) = tfjs_node.run_each(result, [feed], backend)
        assert np.abs(got[result.outputs[0].name] - want).max() < 1e-5 * np.abs(want).max()
