"""Layers of a Keras config that wait for each other, for which Keras would wait for ever, or that take constants alone.

Keras computes what takes constants alone while it loads the model, of any size; no model needs it.

Source: ``keras/src/models/functional.py`` (``functional_from_config``), 3.15, and ``tf_keras/src/engine/functional.py``
(``reconstruct_from_config``), 2.21: both go over the layers until every call was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list

#: A call of a layer: its name, and which call it is.
_Call = tuple[str, float]
#: What stands for no number of a call.
_PARTS = (str, list, Mapping)
#: What stands for an array, and the dtypes that it may have.
_ARRAYS = frozenset({"__numpy__", "__tensor__"})
_DTYPE = re.compile(r"bool|string|object|str|bfloat16|(u?int|float|complex)\d{0,3}")


def check_wiring(what: str, config: Any) -> None:
    """Refuse a config in which a call needs the result of one that is never made, or of none; or an array of odd dtype.

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
            if value.get("class_name") in _ARRAYS:
                _check_array(what, value.get("config"))
            if isinstance(layers, list) and (waiting := _waiting([row for row in layers if isinstance(row, Mapping)])):
                raise UnsupportedModelError(
                    f"'{what}' is damaged: the layers {quoted_list(waiting)} take tensors that no layer gives."
                )
            stack += value.values()
        elif isinstance(value, (list, tuple)):
            stack += value


def _check_array(what: str, config: Any) -> None:
    dtype = config.get("dtype") if isinstance(config, Mapping) else None
    if dtype is not None and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        raise UnsupportedModelError(f"'{what}' is damaged: it holds an array of dtype '{str(dtype)[:80]}'.")


def _waiting(rows: list[Mapping[str, Any]]) -> set[str]:
    """Return the names of the layers of which a call is never made."""
    nodes = {str(row.get("name")): row.get("inbound_nodes") for row in rows}
    counts = {name: len(calls) if isinstance(calls, list) and calls else 1 for name, calls in nodes.items()}
    nested = {str(row.get("name")) for row in rows if isinstance(one := row.get("config"), Mapping) and "layers" in one}
    needs: dict[_Call, set[_Call]] = {}
    for name, calls in nodes.items():
        for i, call in enumerate(calls if isinstance(calls, list) and calls else [[]]):
            found = {(ref, at) for ref, at in _refs(call) if ref in counts}
            if call and not found:
                found = {(name, i)}  # waits for itself
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
            stack += () if value.get("class_name") in _ARRAYS else value.values()
        elif isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and not any(isinstance(one, _PARTS) for one in value[1:3]):
                yield value[0], value[1] if isinstance(value[1], (int, float)) else -1  # True is 1 to Keras, too
                stack += value[3:]
            else:
                stack += value
