"""``tfjs_magic/ops/kernels.json``: what was measured, op by op."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorflow.python.framework import op_def_registry

from tests.kernels.measure import SYNC, WRITES, Prepared, Trial
from tests.kernels.recipes import RECIPES
from tfjs_magic.options import Backend

TABLE = Path(__file__).parents[2] / "tfjs_magic" / "ops" / "kernels.json"


def row(op: str, prepared: Sequence[Prepared], failures: Mapping[Backend, Mapping[Trial, str]]) -> dict[str, Any]:
    """Return the row of an op: what was tried, and what does not work.

    Keys:
        types: The attributes whose dtypes tell its kernels apart.
        defaults: Of the numbers among the attributes that were tried.
        axes: Dtypes → the numbers of axes that were tried: the most of any operand or result.
        fails: Per way to call it that gives no right result: dtypes, the way, axes, backends.
    """
    axes: dict[str, set[int]] = collections.defaultdict(set)
    for one in prepared:
        if one.trial.is_plain:
            axes[one.trial.dtypes].add(one.axes)
    return {
        "types": list(RECIPES[op].types),
        "defaults": _defaults(op),
        "axes": {dtypes: sorted(numbers) for dtypes, numbers in axes.items()},
        "fails": list(_fails(prepared, failures)),
    }


def written(rows: Mapping[str, Any]) -> str:
    """Return the table as it is kept: a line per op."""
    lines = ",\n".join(f"  {json.dumps(op)}: {json.dumps(rows[op])}" for op in sorted(rows))
    return f'{{\n "generated_by": "python -m tests.kernels --write",\n "ops": {{\n{lines}\n }}\n}}\n'


def _defaults(op: str) -> dict[str, Any]:
    tried = {name for attrs in RECIPES[op].attrs for name in attrs}
    values = {attr.name: attr.default_value for attr in op_def_registry.get(op).attr}
    found: dict[str, Any] = {}
    for name in sorted(tried):
        kind = values[name].WhichOneof("value")
        if kind in {"i", "f"}:
            found[name] = getattr(values[name], kind)
        elif kind == "list" and values[name].list.i:
            found[name] = list(values[name].list.i)
        elif name == "strides":
            found[name] = [1, 1, 1, 1]
    return found


def _way(trial: Trial, problem: str) -> dict[str, Any]:
    way: dict[str, Any] = {}
    if problem == SYNC:
        way["synchronous"] = True
    if problem == WRITES and not trial.large:  # a backend that cannot hold a large integer cannot give it back, either
        way["writes"] = True
    if trial.attrs:
        way["attrs"] = dict(trial.attrs)
    if trial.form:
        way["form"] = trial.form
    if trial.large:
        way["large"] = True
    if trial.port:
        way["output"] = trial.port
    return way


def _fails(prepared: Sequence[Prepared], failures: Mapping[Backend, Mapping[Trial, str]]) -> Iterator[dict[str, Any]]:
    """Yield the ways that fail; dtypes that fail alike share one."""
    axes: dict[tuple[str, str, Backend], set[int]] = collections.defaultdict(set)
    for one, (backend, problems) in itertools.product(prepared, failures.items()):
        if (problem := problems.get(one.trial)) is not None:
            key = (json.dumps(_way(one.trial, problem)), one.trial.dtypes, backend)
            # Which large integers lose digits is chance, and has nothing to do with axes.
            alike = [other.axes for other in prepared if _is_alike(one.trial, other.trial)] if one.trial.large else []
            axes[key].update([one.axes, *alike])
    backends: dict[tuple[str, str, tuple[int, ...]], list[Backend]] = collections.defaultdict(list)
    for (way, dtypes, backend), numbers in axes.items():
        if way == "{}" and numbers | {0} == {one.axes for one in prepared if one.trial.dtypes == dtypes}:
            numbers.add(0)  # a single value is right by chance
        backends[way, dtypes, tuple(sorted(numbers))].append(backend)
    of_dtypes: dict[tuple[str, tuple[int, ...], tuple[Backend, ...]], list[str]] = collections.defaultdict(list)
    for (way, dtypes, numbers), names in backends.items():
        of_dtypes[way, numbers, tuple(sorted(names))].append(dtypes)
    for (way, numbers, names), kinds in sorted(of_dtypes.items()):
        yield {"dtypes": kinds, **json.loads(way), "axes": list(numbers), "backends": list(names)}


def _is_alike(one: Trial, other: Trial) -> bool:
    return dataclasses.replace(one, rank=other.rank) == other
