"""Grappler, for what it is good at: inlining, pruning, constant and shape folding, dependencies.

Arithmetic and remap stay out: the first hides biases in AddN, the second emits fused activations that TF.js lacks.
Weights pass through as variable handles and reads, never as Const or Placeholder: grappler copies those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

# No public way exists to run grappler on a graph without executing it. Checked: TF 2.16 – 2.21.
from tensorflow.python.grappler import tf_optimizer

# Nor is there one to say what lies behind a placeholder for a variable.
from tensorflow.python.ops import handle_data_util

_OPTIMIZERS = ("function", "pruning", "constfold", "dependency", "pruning", "constfold", "dependency")


def inline(graph_def: Any, *, keep: Iterable[str]) -> Any:
    """Inline every call and leave all else as it is: nodes have the names by which messages call them.

    Args:
        graph_def: A ``GraphDef``; its attributes are edited in place.
        keep: Names of the nodes that must survive.
    """
    return _run(graph_def, keep, ("function",), lower=False)


def imported(graph_def: Any, captured: Mapping[str, Any]) -> Any:
    """Return a ``tf.Graph`` with the nodes, which knows the shapes of what is read from variables.

    Args:
        graph_def: A ``GraphDef``.
        captured: Placeholder → the resource or the tensor that it stands for.
    """
    with tf.Graph().as_default() as graph:
        known = {}
        for name, external in captured.items():
            known[f"{name}:0"] = placeholder = tf.compat.v1.placeholder(external.dtype, external.shape)
            handle_data_util.copy_handle_data(external, placeholder)
        tf.graph_util.import_graph_def(graph_def, known, name="")
    return graph


def optimize(graph_def: Any, *, keep: Iterable[str], lower: bool = True) -> Any:
    """Inline every call, lower control flow to v1 ops, fold constants and shapes, prune.

    Args:
        graph_def: A ``GraphDef``; its attributes are edited in place, its weights must be handles.
        keep: Names of the nodes that must survive with their results: inputs, outputs and side effects.
        lower: Whether control flow is lowered; else While and If stay, and calls are inlined in their bodies, too.

    Returns:
        The optimised ``GraphDef``, without function calls.
    """
    return _run(graph_def, keep, _OPTIMIZERS, lower=lower)


def _run(graph_def: Any, keep: Iterable[str], optimizers: Iterable[str], *, lower: bool) -> Any:
    _inline_everything(graph_def, lower=lower)
    meta_graph = tf.compat.v1.MetaGraphDef()
    meta_graph.graph_def.CopyFrom(graph_def)
    # Grappler keeps what the collection "train_op" names; there is no other way to name the fetches.
    meta_graph.collection_def["train_op"].node_list.value.extend(keep)
    config = tf.compat.v1.ConfigProto()
    rewrites = config.graph_options.rewrite_options
    rewrites.min_graph_nodes = -1  # the default leaves graphs of fewer than four nodes alone
    rewrites.function_optimization = type(rewrites).AGGRESSIVE  # also calls inside loop bodies
    rewrites.meta_optimizer_iterations = type(rewrites).ONE  # the list holds each twice already
    rewrites.optimizers.extend(optimizers)
    return tf_optimizer.OptimizeGraph(config, meta_graph, verbose=False, graph_id=b"tfjs_magic")


def _inline_everything(graph_def: Any, *, lower: bool) -> None:
    """Let the inliner enter compiled calls, and lower While and If or leave them, in the library too."""
    bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for nodes in bodies:
        for node in nodes:
            if node.op in _LOWERED:
                node.attr["_lower_using_switch_merge"].b = lower
            # jit_compile=True marks the call; XLA is no part of TF.js, and the inliner leaves marked calls alone.
            node.attr.pop("_XlaMustCompile", None)
    for function in graph_def.library.function:
        # Keras 2 offers its recurrent layers in two implementations; the inliner leaves such functions alone.
        for mark in ("_XlaMustCompile", "_noinline", "api_implements", "api_preferred_device"):
            function.attr.pop(mark, None)


_LOWERED = frozenset({"While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase"})
