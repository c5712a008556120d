"""Fixtures and skips that several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.conformance.node import TfjsNode, missing_for_node


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that runs TF.js in Node, so that ``-m "not needs_node"`` leaves it out."""
    for item in items:
        if "tfjs_node" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.needs_node)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need Node where there is none; in CI that is a failure."""
    if item.get_closest_marker("needs_node") is None or (missing := missing_for_node()) is None:
        return
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(f"CI must run this test, but {missing}", pytrace=False)
    pytest.skip(missing)


@pytest.fixture(scope="session")
def tfjs_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TfjsNode]:
    """Real TF.js 4.22 in Node with cpu and wasm; one process for the whole session."""
    node = TfjsNode(tmp_path_factory.mktemp("tfjs_node"))
    yield node
    node.close()
