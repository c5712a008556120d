"""protocol.py and state.py say what protocol.ts says, and nothing else gets past the guard."""

from __future__ import annotations

import contextlib
import re
import types
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.reports import JOB, job_report, report
from tfjs_magic import options
from tfjs_magic.bench import guards, protocol, state

TYPESCRIPT = Path(__file__).parents[2] / "js" / "src" / "protocol.ts"
#: What only the worker hears of is not Python's business.
HOP_1 = ("ToKernel", "FromKernel", "Snapshot", "Assets")
_TOKEN = re.compile(r'"[^"]*"|\w+|[{}\[\]<>|&;:,=()]')


class TypeScript:
    """Reads types and constants into plain values: object → dict, union → frozenset, T[] → ("list", T)."""

    def __init__(self, source: str) -> None:
        plain = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
        self.declarations = dict(re.findall(r"export type (\w+) =(.*?);\n(?=\s*(?:export|$))", plain + "\n", re.DOTALL))
        constants = re.findall(r"export const (\w+) = (.*?)(?: as const)?;\n", plain)
        self.constants = {name: eval(value.replace("[", "(").replace("]", ")")) for name, value in constants}

    def read(self, name: str) -> Any:
        self._tokens = _TOKEN.findall(self.declarations[name])
        return self._union()

    def _union(self) -> Any:
        members = []
        while True:
            if self._tokens[:1] == ["|"]:
                self._tokens.pop(0)
            members.append(self._intersection())
            if self._tokens[:1] != ["|"]:
                return _union_of(members)

    def _intersection(self) -> Any:
        value = self._one()
        while self._tokens[:1] == ["&"]:
            self._tokens.pop(0)
            value = _object({**dict(value[1]), **dict(self._one()[1])})
        return value

    def _one(self) -> Any:
        token = self._tokens.pop(0)
        if token == "{":
            value: Any = self._fields()
        elif token == "(":
            value = self._union()
            assert self._tokens.pop(0) == ")"
            if self._tokens[:3] == ["[", "number", "]"]:  # after typeof: any element
                del self._tokens[:3]
        elif token == "typeof":
            value = _union_of([f'"{name}"' for name in self.constants[self._tokens.pop(0)]])
        elif token == "Record":
            assert self._tokens[:5] == ["<", "string", ",", "string", ">"]
            del self._tokens[:5]
            value = ("map", "string", "string")
        elif token in self.declarations:
            rest, value = self._tokens, self.read(token)
            self._tokens = rest
        else:
            value = token
        while self._tokens[:2] == ["[", "]"]:
            del self._tokens[:2]
            value = ("list", value)
        return value

    def _fields(self) -> Any:
        fields = {}
        while self._tokens[0] != "}":
            name, colon = self._tokens.pop(0), self._tokens.pop(0)
            assert colon == ":"
            fields[name] = self._union()
            if self._tokens[0] == ";":
                self._tokens.pop(0)
        self._tokens.pop(0)
        return _object(fields)


def _object(fields: dict[str, Any]) -> Any:
    return ("object", tuple(sorted(fields.items())))


def _union_of(members: list[Any]) -> Any:
    flat = {part for member in members for part in (member if isinstance(member, frozenset) else {member})}
    return next(iter(flat)) if len(flat) == 1 else frozenset(flat)


def _python(kind: Any) -> Any:
    simple = {int: "number", float: "number", str: "string", bool: "boolean", type(None): "null"}
    if kind in simple:
        return simple[kind]
    if typing.is_typeddict(kind):
        return _object({name: _python(field) for name, field in typing.get_type_hints(kind).items()})
    arguments = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin is list:
        return ("list", _python(arguments[0]))
    if origin is dict:
        return ("map", *map(_python, arguments))
    if origin is typing.Literal:
        return _union_of([f'"{value}"' for value in arguments])
    assert origin in {types.UnionType, typing.Union}, kind
    return _union_of([_python(argument) for argument in arguments])


@pytest.mark.parametrize("name", HOP_1)
def test_python_and_typescript_declare_the_same(name: str) -> None:
    typescript = TypeScript(TYPESCRIPT.read_text(encoding="utf-8")).read(name)
    python = {**vars(state), **vars(protocol)}
    assert _python(python[name]) == typescript


def test_python_and_typescript_agree_on_constants() -> None:
    python = {**vars(options), **vars(state), **vars(protocol)}
    constants = TypeScript(TYPESCRIPT.read_text(encoding="utf-8")).constants
    bounds = {"MAX_PIECE_BYTES", "MAX_PROFILE_ROWS", "MAX_RUNS", "MAX_TEXT_LENGTH"}
    assert constants.keys() == bounds | {"BACKENDS", "HEARTBEAT_MS", "MIN_RUNS_FOR_P90"}
    assert {name: python[name] for name in constants} == constants


def test_the_reader_sees_fields_kinds_and_constants() -> None:
    """Guards the tests above against a reader that finds nothing."""
    typescript = TypeScript(TYPESCRIPT.read_text(encoding="utf-8"))
    kinds = {dict(message[1])["kind"] for message in typescript.read("ToKernel")}
    assert kinds >= {'"put_output"', '"report"', '"claim"'}
    assert {"run_ms", "job"} <= dict(typescript.read("JobState")[1]).keys()
    assert typescript.read("BackendName") == {'"webgpu"', '"webgl"', '"wasm"', '"cpu"'}


def _put_output(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "y", "dtype": "float32", "shape": [1, 3], "values": None}
    message = {"kind": "put_output", "id": 1, "page": "p", "job": JOB, "feed": 0, "tensor": tensor}
    return {**message, "offset": 0, "total": 12, **changes}


def test_a_message_passes_unchanged_but_for_unknown_fields() -> None:
    assert guards.parse({**_put_output(), "extra": 1}) == _put_output()


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        pytest.param("text", "message.kind is None", id="no-object"),
        pytest.param({"kind": "reboot", "id": 1}, "message.kind is 'reboot'", id="unknown-kind"),
        pytest.param({"kind": ["claim"], "id": 1}, "message.kind is", id="unhashable-kind"),
        pytest.param({"kind": "get_model", "id": 1}, "message lacks 'model'", id="missing"),
        pytest.param(
            {"kind": "get_model", "id": 1, "model": "0"}, "message.model is '0'; expected an integer", id="text"
        ),
        pytest.param({"kind": "get_model", "id": 1, "model": True}, "message.model is True", id="bool-is-no-int"),
        pytest.param(_put_output(job={"model": 0, "backend": "cuda", "feed": 0}), "message.job.backend", id="backend"),
        pytest.param(_put_output(tensor=None), "message.tensor is a NoneType", id="nested"),
        pytest.param(_put_output(page="x" * 20_001), "message.page has 20001 characters", id="long"),
        pytest.param(
            {"kind": "picture", "id": 1, "page": "p", "svg": "x" * (2**20 + 1)}, "has 1048577 characters", id="picture"
        ),
        pytest.param(
            {"kind": "report", "id": 1, "page": "p", **report(job_report(1, float("nan")))},
            r"message.jobs\[0\].run.latency_ms\[1\] is nan; expected a finite number",
            id="nan",
        ),
    ],
)
def test_what_the_protocol_does_not_know_is_refused_by_field(message: object, complaint: str) -> None:
    with pytest.raises(protocol.ProtocolError, match=complaint):
        guards.parse(message)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # a shared machine stalls
@given(
    content=_json,
    message=st.builds(_put_output, job=_json, tensor=_json, feed=_json, page=_json),
    field=st.sampled_from(["job", "tensor", "feed", "page"]),
)
def test_nothing_but_a_protocol_error_comes_out_of_the_guard(content: object, message: Any, field: str) -> None:
    for hostile in (content, {**_put_output(), field: content}, message):
        with contextlib.suppress(protocol.ProtocolError):
            guards.parse(hostile)
