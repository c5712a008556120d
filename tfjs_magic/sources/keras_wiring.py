"""Layers of a Keras config that wait for each other: Keras would wait with them for ever.

Source: ``keras/src/models/functional.py`` (``functional_from_config``), 3.15, and ``tf_keras/src/engine/functional.py``
(``reconstruct_from_config``), 2.21: both go over the layers until every call was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list

#: A call of a layer: its name, and which call it is.
_Call = tuple[str, float]
#: What stands for no number of a call.
_PARTS = (str, list, Mapping)


def check_wiring(what: str, config: Any) -> None:
    """Refuse a config in which a call needs the result of one that is never made.

    Args:
        what: The file, for the message.
        config: A model's config, as JSON gives it; models in it are looked at, too.

    Raises:
        UnsupportedModelError: Names the layers.
    """
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            layers = value.get("layers")
            if isinstance(layers, list) and (waiting := _waiting([row for row in layers if isinstance(row, Mapping)])):
                raise UnsupportedModelError(
                    f"'{what}' is damaged: the layers {quoted_list(waiting)} take tensors that no layer gives."
                )
            stack += value.values()
        elif isinstance(value, (list, tuple)):
            stack += value


def _waiting(rows: list[Mapping[str, Any]]) -> set[str]:
    """Return the names of the layers of which a call is never made."""
    nodes = {str(row.get("name")): row.get("inbound_nodes") for row in rows}
    counts = {name: len(calls) if isinstance(calls, list) and calls else 1 for name, calls in nodes.items()}
    nested = {str(row.get("name")) for row in rows if isinstance(one := row.get("config"), Mapping) and "layers" in one}
    needs: dict[_Call, set[_Call]] = {}
    for name, calls in nodes.items():
        for i, call in enumerate(calls if isinstance(calls, list) and calls else [[]]):
            found = {(ref, at) for ref, at in _refs(call) if ref in counts}
            # A nested model may count from 1: its first call made it.
            needs[name, i] = {(ref, max(0, at - 1) if ref in nested and at >= counts[ref] else at) for ref, at in found}
    users: dict[_Call, list[_Call]] = {}
    for node, refs in needs.items():
        for ref in refs:
            users.setdefault(ref, []).append(node)
    left = {node: len(refs) for node, refs in needs.items()}
    ready = [node for node, number in left.items() if not number]
    while ready:
        for user in users.get(ready.pop(), ()):
            left[user] -= 1
            if not left[user]:
                ready.append(user)
    return {name for (name, _), number in left.items() if number}


def _refs(call: Any) -> Iterator[_Call]:
    """Yield the calls whose results one takes: [name, call, output, …], or the history of a Keras tensor."""
    stack = [call]
    while stack:
        value = stack.pop()
        if isinstance(value, Mapping):
            stack += value.values()
        elif isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and not any(isinstance(one, _PARTS) for one in value[1:3]):
                yield value[0], value[1] if isinstance(value[1], (int, float)) else -1  # True is 1 to Keras, too
                stack += value[3:]
            else:
                stack += value
