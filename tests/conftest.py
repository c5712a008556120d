"""Fixtures and skips that all tests share."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.conformance.node import TfjsNode, missing_for_node, scratch_directory

#: How the reasons begin for which a test may be skipped in CI too; there, any other skip is a failure.
MAY_SKIP = ("the published models are not in", "mounting a small disk needs root", "ipykernel 6 hands on no message")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that runs TF.js in Node, so that ``-m "not needs_node"`` leaves it out."""
    for item in items:
        if "tfjs_node" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.needs_node)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need Node where there is none."""
    if item.get_closest_marker("needs_node") and (missing := missing_for_node()) is not None:
        pytest.skip(missing)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail in CI for a skip that nobody expects."""
    return with_skips_judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Likewise for a whole module."""
    return with_skips_judged((yield))


def with_skips_judged(report: Any) -> Any:
    """Return the report, failed if it tells of a skip that CI must not have."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI", "").lower() in {"true", "1"}:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(MAY_SKIP):
            report.outcome, report.longrepr = "failed", f"CI must run this test, but {reason}"
    return report


@pytest.fixture(scope="session")
def tfjs_node() -> Iterator[TfjsNode]:
    """Real TF.js 4.22 in Node with cpu and wasm; one process for the whole session."""
    with scratch_directory() as scratch:
        node = TfjsNode(scratch)
        yield node
        node.close()
