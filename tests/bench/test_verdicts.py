"""A page without a kernel compares as Python does: both are held to one table of cases."""

from __future__ import annotations

import pytest

from tests.bench import verdicts


def test_the_table_is_what_python_says_today() -> None:
    """If not, and it is meant: python -m tests.bench.verdicts."""
    assert verdicts.FILE.read_text(encoding="utf-8") == verdicts.text()
    assert verdicts.NOISE_FILE.read_text(encoding="utf-8") == verdicts.noise_text()


@pytest.mark.parametrize("status", ["passed", "failed", "inconclusive", "reported"])
def test_every_verdict_occurs(status: str) -> None:
    assert status in {verdicts.verdict(case)["status"] for case in verdicts.cases().values()}
