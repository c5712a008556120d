"""What TF.js's kernels were seen to do (``kernels.json``, measured): which calls of an op they refuse or get wrong.

Each op was called alone, in TF.js, on every backend: with every dtype that TensorFlow has it for, with up to six axes,
with attributes other than the defaults, operands of different shapes, and integers beyond 2^24, which float32 cannot
hold. What came out was compared with TensorFlow.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tfjs_magic.artifacts import Dims
from tfjs_magic.graph import conditions
from tfjs_magic.graph.ir import Attr, DType, Graph, Node

_NAMES = {
    "float32": "floats",
    "int32": "integers",
    "bool": "booleans",
    "string": "texts",
    "complex64": "complex numbers",
}
_FORMS = {
    "scalar": "a single value",
    "vector": "a vector",
    "one": "an operand of other sizes",
    "both": "operands of other sizes",
}


@functools.cache
def kernels() -> dict[str, Any]:
    """Load the table: op type → "types", "defaults", "axes", "fails"; see ``tests/kernels/table.py``."""
    text = importlib.resources.files(__package__).joinpath("kernels.json").read_text(encoding="utf-8")
    return json.loads(text)["ops"]  # type: ignore[no-any-return]


def failing_calls(graph: Graph, node: Node) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what TF.js does not compute rightly of a node, and where; of unknown shapes what holds of any."""
    row = kernels().get(node.op)
    if row is None or not all(isinstance(node.attrs.get(name), DType) for name in row["types"]):
        return
    dtypes = ",".join(_as_in_tfjs(str(node.attrs[name])) for name in row["types"])
    if not (fails := [fail for fail in row["fails"] if dtypes in fail["dtypes"]]):
        return
    measured = row["axes"].get(dtypes, [])
    axes = _possible_axes(graph, node, measured)
    for fail in fails:
        if axes.issubset(fail["axes"]) and _is_called_so(graph, node, fail, row["defaults"]):
            yield _sentence(fail, dtypes, measured), fail["backends"]


def _is_called_so(graph: Graph, node: Node, fail: dict[str, Any], defaults: dict[str, Any]) -> bool:
    if "synchronous" in fail:
        return False  # nothing is known: only a GPU in software cannot read at once
    return (
        all(_is_like(node.attrs.get(name), value, defaults.get(name)) for name, value in fail.get("attrs", {}).items())
        and ("form" not in fail or _form(graph, node) == fail["form"])
        and ("output" not in fail or fail["output"] in conditions.used_outputs(graph, node))
        and ("large" not in fail or conditions.meets_large_integer(graph, node))
        and ("writes" not in fail or conditions.writes_into_operand(graph, node))
    )


def _as_in_tfjs(dtype: str) -> str:
    """Return what TF.js keeps a dtype as: it has one of floats and one of integers."""
    kinds = {"float": "float32", "bfloa": "float32", "int": "int32", "uint": "int32", "compl": "complex64"}
    return next((kept for kind, kept in kinds.items() if dtype.startswith(kind)), dtype)


def _possible_axes(graph: Graph, node: Node, measured: Sequence[int]) -> set[int]:
    """Return which of the measured numbers the most axes of any operand or result may be."""
    shapes = [*map(graph.shape, node.inputs), *(graph.shape(node.ref(port)) for port in range(node.outputs))]
    least = max((len(shape) for shape in shapes if shape is not None), default=0)
    at_least = {number for number in measured if number >= least} or set(measured[-1:])
    return at_least if None in shapes else {min(at_least, default=0)}


def _is_like(given: Attr | None, tried: Any, default: Any) -> bool:
    """Whether an attribute is what was tried; of numbers, anything but the default."""
    if isinstance(tried, (bool, str)):
        return given == (tried.encode() if isinstance(tried, str) else tried)
    return given is not None and given != (tuple(default) if isinstance(default, list) else default)


def _form(graph: Graph, node: Node) -> str | None:
    """Return how the first two operands are broadcast; None if their shapes are unknown."""
    one, two = (graph.shape(ref) for ref in node.inputs[:2])
    if one is None or two is None:
        return None
    if one == two:
        return ""
    if {1}.issuperset(one) or {1}.issuperset(two):
        return "scalar"
    if len(one) != len(two) and 1 in {len(one), len(two)}:
        return "vector"
    return "both" if _is_stretched(one, two) and _is_stretched(two, one) else "one"


def _is_stretched(shape: Dims, other: Dims) -> bool:
    """Whether an axis of 1 meets a longer one."""
    pairs = zip(reversed(shape), reversed(other), strict=False)
    return any(side == 1 != wide for side, wide in pairs) or len(shape) < len(other)


def _sentence(fail: dict[str, Any], dtypes: str, measured: Sequence[int]) -> str:
    of = " and ".join(_NAMES.get(dtype, dtype) for dtype in dtypes.split(",") if dtype)
    axes = "" if fail["axes"] == measured else f" of {_listed(fail['axes'])} axes"
    if "output" in fail:
        return f"Its output {fail['output']} is not made."
    if "large" in fail:
        return "Integers beyond 2^24 lose digits; smaller ones are right."
    if "writes" in fail:
        return "It writes into its operand."
    how = ""
    if "attrs" in fail:
        how = " with " + " and ".join(f"{name}={value}" for name, value in fail["attrs"].items())
    if "form" in fail:
        how = f" beside {_FORMS[fail['form']]}"
    return f"{(of or 'data').capitalize()}{axes}{how} are refused or computed wrongly."


def _listed(numbers: Sequence[int]) -> str:
    *rest, last = map(str, numbers)
    return f"{', '.join(rest)} or {last}" if rest else last
