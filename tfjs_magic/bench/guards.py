"""The guard for what arrives from the page: its messages, field by field, as protocol.py declares them."""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from tfjs_magic.bench.protocol import MAX_PICTURE_LENGTH, MAX_TEXT_LENGTH, ProtocolError, ToKernel
from tfjs_magic.bench.state import Snapshot


def parse(content: object) -> ToKernel:
    """Check a message from the page field by field; a field that the protocol does not know is left out.

    Raises:
        ProtocolError: Naming the field, what stood there and what was expected.
    """
    return typing.cast("ToKernel", _check(content, ToKernel, "message"))


def check_snapshot(content: object) -> Snapshot:
    """Check a state field by field, as :func:`parse`.

    Raises:
        ProtocolError: Likewise.
    """
    return typing.cast("Snapshot", _check(content, Snapshot, "snapshot"))


def _check(value: Any, expected: Any, where: str) -> Any:
    origin = typing.get_origin(expected)
    if typing.is_typeddict(expected):
        return _check_fields(value, expected, where)
    if origin is list:
        if not isinstance(value, list):
            raise ProtocolError(f"{where} is a {type(value).__name__}; expected a list.")
        (item,) = typing.get_args(expected)
        return [_check(v, item, f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is Literal:
        if not isinstance(value, str) or value not in typing.get_args(expected):
            raise ProtocolError(f"{where} is {value!r:.80}; expected one of {typing.get_args(expected)}.")
        return value
    if origin in {types.UnionType, typing.Union}:
        return _check_union(value, typing.get_args(expected), where)
    if expected is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    if type(value) is not expected or expected is float:
        raise ProtocolError(f"{where} is {value!r:.80}; expected {_name(expected)}.")
    if expected is str and len(value) > (most := MAX_PICTURE_LENGTH if where == "message.svg" else MAX_TEXT_LENGTH):
        raise ProtocolError(f"{where} has {len(value)} characters; expected at most {most}.")
    return value


def _check_fields(value: Any, expected: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{where} is a {type(value).__name__}; expected an object.")
    fields = _fields(expected)
    if missing := fields.keys() - value.keys():
        raise ProtocolError(f"{where} lacks '{min(missing)}'.")
    return {name: _check(value[name], kind, f"{where}.{name}") for name, kind in fields.items()}


def _check_union(value: Any, members: tuple[Any, ...], where: str) -> Any:
    if all(typing.is_typeddict(member) for member in members):
        by_kind = {typing.get_args(_fields(member)["kind"])[0]: member for member in members}
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(kind, str) or kind not in by_kind:
            raise ProtocolError(f"{where}.kind is {kind!r:.80}; expected one of {tuple(by_kind)}.")
        return _check_fields(value, by_kind[kind], where)
    if value is None and type(None) in members:
        return None
    errors = []
    for member in members:
        if member is not type(None):
            try:
                return _check(value, member, where)
            except ProtocolError as error:
                errors.append(error)
    raise errors[0]


@functools.cache
def _fields(typed_dict: Any) -> dict[str, Any]:
    return typing.get_type_hints(typed_dict)


def _name(kind: Any) -> str:
    return {int: "an integer", float: "a finite number", str: "text", bool: "true or false"}.get(kind, str(kind))
