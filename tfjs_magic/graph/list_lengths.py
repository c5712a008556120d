"""Tell how many tensors a list holds that is stacked, so that shapes know it: the next loop may run over them.

Source: TensorFlow ``core/ops/list_ops.cc`` (shape function of ``TensorListStack``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfjs_magic.artifacts import Array
from tfjs_magic.graph.refs import node_of


def tell_lengths(graph_def: Any, static_values: Callable[[Any], Callable[[str], Array | None]]) -> None:
    """Set ``num_elements`` of each TensorListStack whose list was made with a known length and keeps it.

    Args:
        graph_def: Edited in place.
        static_values: Graph → tensor ref → what is known of the tensor without running it.
    """
    nodes = {node.name: node for node in graph_def.node}
    stacks = [node for node in graph_def.node if node.op == "TensorListStack" and node.attr["num_elements"].i < 0]
    made = {stack.name: maker for stack in stacks if (maker := _maker(nodes, stack)) is not None}
    value_of = static_values(graph_def) if made else None
    for name, maker in made.items():
        if value_of is not None and (length := value_of(maker.input[1])) is not None:
            nodes[name].attr["num_elements"].i = int(length)


def _maker(nodes: Mapping[str, Any], stack: Any) -> Any | None:
    """Return the TensorListReserve that a list comes from, if nothing on the way changes its length."""
    node = stack
    while node.op in {"TensorListStack", "TensorListSetItem", "Identity"}:
        if "resize_if_index_out_of_bounds" in node.attr and node.attr["resize_if_index_out_of_bounds"].b:
            return None
        node = nodes[node_of(node.input[0])]
    return node if node.op == "TensorListReserve" else None
