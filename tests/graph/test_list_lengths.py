"""Lists that are stacked say how long they are, where that is known."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tfjs_magic.graph.list_lengths import tell_lengths

raw = tf.raw_ops
SHAPE = tf.constant([2])


def _reserved(size: Any) -> Any:
    return raw.TensorListReserve(element_shape=SHAPE, num_elements=size, element_dtype=tf.float32)


def _stacked(items: Any) -> Any:
    return raw.TensorListStack(input_handle=items, element_shape=SHAPE, element_dtype=tf.float32)


def _with_item(items: Any, x: Any, **options: Any) -> Any:
    return raw.TensorListSetItem(input_handle=items, index=0, item=x, **options)


def _lengths(function: Any) -> list[int]:
    spec = tf.TensorSpec((2,), name="x")
    graph_def = tf.function(function).get_concrete_function(spec).graph.as_graph_def()

    def static_values(given: Any) -> Any:
        constants = {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in given.node if node.op == "Const"}
        return constants.get

    tell_lengths(graph_def, static_values)
    return [node.attr["num_elements"].i for node in graph_def.node if node.op == "TensorListStack"]


@pytest.mark.parametrize(
    ("function", "length"),
    [
        pytest.param(lambda x: _stacked(_with_item(_reserved(3), x)), 3, id="known"),
        pytest.param(lambda _: _stacked(tf.identity(_reserved(3))), 3, id="handed-on"),
        pytest.param(
            lambda x: _stacked(_with_item(_reserved(3), x, resize_if_index_out_of_bounds=True)), -1, id="may-grow"
        ),
        pytest.param(lambda _: _stacked(raw.TensorListResize(input_handle=_reserved(3), size=4)), -1, id="resized"),
        pytest.param(lambda x: _stacked(_reserved(tf.cast(x[0], tf.int32))), -1, id="computed"),
        pytest.param(lambda x: _stacked(raw.TensorListFromTensor(tensor=x[None], element_shape=SHAPE)), -1, id="other"),
    ],
)
def test_a_stack_knows_the_length_that_its_list_was_made_with(function: Any, length: int) -> None:
    assert _lengths(function) == [length]
