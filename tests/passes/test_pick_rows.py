"""The rows of a table are picked by GatherNd, and an id without a row stays an error."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import JsError, TfjsNode
from tests.graph_text import tfjs_model
from tests.models import randomised
from tests.passes.checks import check_lowering, refusals
from tests.passes.operands import random_array
from tests.traced import traced
from tfjs_magic import convert
from tfjs_magic.passes import pick_rows, remove_identities
from tfjs_magic.passes.rewrite import run_passes

PASSES = [pick_rows.PASS]
_BEFORE = [remove_identities.PASS]  # TensorFlow puts one behind a large constant
_SHORT, _FEW = "a row has fewer than 16 values", "fewer than 512 values are picked"


def _ids(*shape: int | None, dtype: Any = tf.int32) -> tf.TensorSpec:
    return tf.TensorSpec(shape, dtype, "ids")


def _pick(*table: int, **options: Any) -> Any:
    rows = random_array("rows", *table)
    return lambda ids: tf.gather(rows, ids, **options)


@pytest.mark.parametrize("table", [(9, 32), (9, 4, 8), (9, 2, 4, 4)], ids=str)
@pytest.mark.parametrize("ids", [(40,), (2, 20), (1, 40, 1), (None, 40), (None,), (None, None)], ids=str)
def test_picks(tfjs_node: TfjsNode, table: Any, ids: Any) -> None:
    check_lowering(tfjs_node, PASSES, _pick(*table), _ids(*ids), after=_BEFORE)


def test_an_axis_from_the_back(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, _pick(9, 4, 8, axis=-3), _ids(None, 40), after=_BEFORE)


def test_one_id_picks_a_long_row(tfjs_node: TfjsNode) -> None:
    check_lowering(tfjs_node, PASSES, _pick(4, 600), _ids(), after=_BEFORE)


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_any_number_of_ids(tfjs_node: TfjsNode, backend: Any) -> None:
    graph = traced(_pick(9, 32), _ids(None))
    run_passes(graph, [*_BEFORE, *PASSES])
    for count in (0, 1, 3):
        feed = {"ids": np.arange(count, dtype=np.int32) + 5}
        (got,) = tfjs_node.run_each(tfjs_model(graph), [feed], backend)
        np.testing.assert_array_equal(got["out0"].reshape(-1, 32), random_array("rows", 9, 32)[feed["ids"]])


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("wrong", [-13, 12, 2**31 - 1])
def test_an_id_without_a_row_is_an_error(tfjs_node: TfjsNode, wrong: int, backend: Any) -> None:
    """Keras counts negative ids from the end, down to -12."""
    ids = keras.Input((40,), dtype="int32", name="ids")
    model = randomised(keras.Model(ids, keras.layers.Embedding(12, 32)(ids)))
    result = convert(model, format="graph", target="wasm", inputs={"ids": (1, 40)})
    assert {report.name: report.applied for report in result.report.passes}["pick_rows"] == 1
    right = np.arange(-12, 28, dtype=np.int32)[None] % 12 - 12 * (np.arange(40) % 2)[None]
    feed = {"ids": right.astype(np.int32)}
    (got,) = tfjs_node.run_each(result, [feed], backend)
    np.testing.assert_array_equal(got[result.outputs[0].name].reshape(1, 40, 32), np.asarray(model(feed["ids"] % 12)))
    feed["ids"][0, 7] = wrong
    with pytest.raises(JsError, match="is not in"):
        tfjs_node.run_each(result, [feed], backend)


@pytest.mark.parametrize(
    ("function", "spec", "reason"),
    [
        pytest.param(_pick(9, 15), _ids(100), _SHORT, id="short-rows"),
        pytest.param(_pick(9), _ids(1000), _SHORT, id="numbers"),
        pytest.param(_pick(9, 16), _ids(31), _FEW, id="few"),
        pytest.param(_pick(7, 31), _ids(None), _FEW, id="few-unknown"),
        pytest.param(_pick(40, 32, axis=1), _ids(40), None, id="columns"),
        pytest.param(
            lambda ids: tf.gather(tf.reshape(tf.cast(ids, tf.float32), (4, 32)), [0] * 40),
            _ids(128),
            None,
            id="computed",
        ),
        pytest.param(lambda ids: tf.gather(tf.range(320)[:, None] * tf.range(20), ids), _ids(40), None, id="integers"),
    ],
)
def test_refuses(function: Any, spec: tf.TensorSpec, reason: str | None) -> None:
    assert refusals(PASSES, function, spec, lacking=False) == ({reason} if reason else set())


def test_leaves_batches() -> None:
    assert refusals(PASSES, _pick(2, 9, 16, batch_dims=1, axis=1), _ids(2, 40)) == set()
