"""Graphs and SavedModels as TensorFlow 1 writes them, with what they computed when they were written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.conformance.compare import assert_matches, assert_telling
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic.artifacts import Array
from tfjs_magic.model import TfjsModel

v1 = tf.compat.v1

Feeds = Sequence[Mapping[str, Array]]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def feeds_of(**shapes: tuple[int, ...]) -> list[dict[str, Array]]:
    """Return two samples."""
    return [{name: normal(*shape, seed=seed) for name, shape in shapes.items()} for seed in (1, 2)]


def save_v1(
    directory: Path,
    signatures: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]],
    *,
    tags: Sequence[str] = ("serve",),
    feeds: Feeds = (),
    **options: Any,
) -> list[dict[str, Array]]:
    """Write the default graph with all of its variables; gives what the first signature computed for the feeds.

    A signature is public name → tensor of its inputs, and the same of its outputs.
    """
    defs = {
        name: v1.saved_model.signature_def_utils.build_signature_def(
            *({key: v1.saved_model.build_tensor_info(tensor) for key, tensor in rows.items()} for rows in both)
        )
        for name, both in signatures.items()
    }
    inputs, outputs = next(iter(signatures.values()))
    with v1.Session() as session:
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        before = [session.run(dict(outputs), {tensor: feed[name] for name, tensor in inputs.items()}) for feed in feeds]
        builder = v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(session, list(tags), signature_def_map=defs, **options)
        builder.save()
    return before


def check(tfjs_node: TfjsNode, model: TfjsModel, feeds: Feeds, expected: Sequence[Mapping[str, Array]]) -> None:
    """TF.js and the reference compute what TensorFlow did."""
    assert model.reference is not None
    assert_telling(*expected)
    for feed, wanted in zip(feeds, expected, strict=True):
        assert_matches(model.reference(feed), wanted)
        for backend in BACKENDS:
            assert_matches(tfjs_node.run(model, feed, backend), wanted)


def without_control_flow_v2() -> Iterator[None]:
    """Let while_loop, cond and TensorArray be those of TensorFlow 1."""
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()
