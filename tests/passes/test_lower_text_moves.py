"""Texts that are constant are moved by number, and looked up at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.passes.checks import check_lowering, refusals
from tests.traced import traced
from tfjs_magic.ops.check import count_ops, missing_per_backend
from tfjs_magic.passes import (
    copy_before_update,
    lower_integer_kernels,
    lower_text_moves,
    lower_vector_select,
    remove_identities,
    run_passes,
    shape_lookups,
    strip_control_inputs,
)

raw = tf.raw_ops
WORDS = tf.constant([["ant", "bée", ""], ["cat", "ant", "\N{CAT FACE}"]])
PASSES = [
    lower_text_moves.PASS,
    lower_integer_kernels.PASS,
    lower_vector_select.PASS,
    shape_lookups.PASS,
    copy_before_update.PASS,
]
MOVES: dict[str, Callable[[Any], Any]] = {
    "BroadcastTo": lambda n: tf.broadcast_to(WORDS, [n[0] + 1, 2, 3]),
    "ConcatV2": lambda n: tf.tile(tf.concat([WORDS, WORDS[:, :1]], 1), n[:2] + 1),
    "ExpandDims": lambda n: tf.reverse(tf.expand_dims(WORDS, 0), [n[0] % 2 + 1]),
    "Fill": lambda n: tf.fill(n[:2] + 1, "x"),
    "Gather": lambda n: raw.Gather(params=WORDS, indices=n % 2),
    "GatherNd": lambda n: tf.gather_nd(WORDS, tf.reshape(n % 2, [2, 2])),
    "GatherV2": lambda n: tf.gather(WORDS, n % 3, axis=1),
    "Identity": lambda n: tf.gather(WORDS, n % 2),
    "MirrorPad": lambda n: tf.pad(WORDS, [[0, 0], [n[0] % 3, 1]], "REFLECT"),
    "Pack": lambda n: tf.gather(tf.stack([WORDS, WORDS[::-1]]), n % 2),
    "Pad": lambda n: raw.Pad(input=WORDS, paddings=[[0, n[0]], [n[1], 0]]),
    "PadV2": lambda n: raw.PadV2(input=WORDS, paddings=[[0, n[0]], [n[1], 0]], constant_values="pad"),
    "Reshape": lambda n: tf.tile(tf.reshape(WORDS, [n[0] * 0 + 3, 2]), [1, n[1] + 1]),
    "ReverseV2": lambda n: tf.reverse(WORDS, [n[0] % 2]),
    "ScatterNd": lambda n: tf.scatter_nd([[n[0]], [n[1] + 4]], WORDS, [8, 3]),
    "Select": lambda n: raw.Select(condition=n[:2] > 1, x=WORDS, y=WORDS[::-1]),
    "SelectV2": lambda n: tf.where(n > 1, "yes", tf.where(n > 0, "perhaps", "no")),
    "Slice": lambda n: tf.tile(tf.slice(WORDS, [0, n[0] % 3], [2, 1]), [1, 2]),
    "SparseToDense": lambda n: raw.SparseToDense(
        sparse_indices=n[:2] + tf.constant([0, 4]), output_shape=[8], sparse_values=WORDS[0, :2], default_value="none"
    ),
    "Split": lambda n: tf.split(tf.gather(WORDS, n % 2), 3, 1),
    "SplitV": lambda n: tf.split(tf.gather(WORDS, n % 2), [1, 2], 1),
    "Squeeze": lambda n: tf.tile(tf.squeeze(tf.slice(WORDS, [n[0] % 2, 0], [1, 3]), 0), n[:1] + 1),
    "StridedSlice": lambda n: tf.gather(WORDS, n % 2)[:, ::2],
    "TensorScatterUpdate": lambda n: tf.tensor_scatter_nd_update(WORDS, n[:1, None] % 2, [["x", "y", "z"]]),
    "Tile": lambda n: tf.tile(WORDS, n[:2] + 1),
    "Transpose": lambda n: tf.transpose(tf.gather(WORDS, n % 2)),
    "Unpack": lambda n: tf.unstack(tf.gather(WORDS, n % 2), axis=1),
}
FEEDS = [{"n": np.array(numbers, np.int32)} for numbers in ([2, 1, 0, 3], [1, 2, 3, 0])]


def test_each_move_has_its_case() -> None:
    assert MOVES.keys() == lower_text_moves._TEXTS.keys()


@pytest.mark.parametrize("op", MOVES)
def test_lowers(tfjs_node: TfjsNode, op: str) -> None:
    check_lowering(tfjs_node, PASSES, MOVES[op], tf.TensorSpec((4,), tf.int32, name="n"), feeds=FEEDS)


def test_a_text_beside_two_tables_gets_a_number_of_its_own(tfjs_node: TfjsNode) -> None:
    def function(n: tf.Tensor) -> tf.Tensor:
        found = [tf.gather(tf.constant(words), n % 2) for words in (["a", "b"], ["c", "d"])]
        return tf.gather(tf.concat([*found, ["e", "", "c", "f"]], 0), tf.range(12) + n[0] % 1)

    check_lowering(tfjs_node, PASSES, function, tf.TensorSpec((4,), tf.int32, name="n"), feeds=FEEDS)


def test_moves_in_a_row_end_in_one_look_up() -> None:
    function = lambda n: tf.tile(tf.transpose(tf.where(n[:, None] > 1, tf.gather(WORDS, n % 2), "x")), [2, 1])  # noqa: E731
    graph = traced(function, tf.TensorSpec((4,), tf.int32, name="n"))
    run_passes(graph, [strip_control_inputs.PASS, remove_identities.PASS, *PASSES])
    ops = count_ops(graph)
    assert (ops["LookupTableFindV2"], ops["HashTableV2"]) == (1, 1)


def test_leaves_what_is_right_as_it_is() -> None:
    function = lambda s: tf.concat([tf.reshape(WORDS, [-1]), s], 0)  # noqa: E731
    graph = traced(function, tf.TensorSpec((3,), tf.string, name="s"))
    run_passes(graph, PASSES)
    assert "LookupTableFindV2" not in count_ops(graph)
    assert not any(missing_per_backend(graph).values())


def test_refuses_texts_that_are_no_constants() -> None:
    function = lambda s: tf.gather(s, [1, 0])  # noqa: E731
    spec = tf.TensorSpec((3,), tf.string, name="s")
    assert refusals(PASSES, function, spec) == {"the texts are an input, or computed"}
