"""The table of kernels is what TF.js does."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tests.conformance.node import GPU_BACKENDS, TfjsNode, scratch_directory
from tests.graph_text import BACKENDS
from tests.kernels.measure import failures, prepared_trials
from tests.kernels.recipes import NOT_MEASURED, RECIPES
from tests.kernels.table import row
from tfjs_magic.ops.check import supported
from tfjs_magic.ops.kernels import kernels
from tfjs_magic.options import Backend

#: Every so many ops are measured again in the quick suite, on cpu and wasm.
_ONE_OF = 12


@pytest.fixture(scope="module")
def lasting_node() -> Iterator[TfjsNode]:
    """TF.js that goes on after an exception, as ``python -m tests.kernels`` has it."""
    with scratch_directory() as scratch:
        node = TfjsNode(scratch, keep=True)
        yield node
        node.close()


def test_every_op_is_measured_or_says_why_not() -> None:
    assert set(RECIPES) == set(kernels())
    assert set(supported()["ops"]) == {*RECIPES, *NOT_MEASURED}
    assert not set(RECIPES) & set(NOT_MEASURED)


@pytest.mark.needs_node
@pytest.mark.parametrize("op", [op for op in RECIPES if zlib.crc32(op.encode()) % _ONE_OF == 0])
def test_measuring_again_finds_the_same(lasting_node: TfjsNode, op: str) -> None:
    _assert_same(lasting_node, op, BACKENDS)


@pytest.mark.slow
@pytest.mark.needs_node
@pytest.mark.parametrize("op", RECIPES)
def test_measuring_all_again_finds_the_same(lasting_node: TfjsNode, op: str) -> None:
    _assert_same(lasting_node, op, (*BACKENDS, *GPU_BACKENDS))


def _assert_same(node: TfjsNode, op: str, backends: Sequence[Backend]) -> None:
    prepared = prepared_trials(op)
    found = row(op, prepared, {backend: failures(prepared, node, backend) for backend in backends})
    assert _of(found, backends) == _of(kernels()[op], backends)


def _of(measured: Mapping[str, Any], backends: Sequence[Backend]) -> dict[str, Any]:
    """Return a row with what it says of some backends: way and axes, dtypes and backend."""
    ways = [
        ({key: value for key, value in fail.items() if key not in {"dtypes", "backends"}}, dtypes, backend)
        for fail in measured["fails"]
        for dtypes, backend in itertools.product(fail["dtypes"], fail["backends"])
        if backend in backends
    ]
    return {**measured, "fails": sorted(ways, key=str)}
