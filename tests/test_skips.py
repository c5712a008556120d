"""A skip is seen, and in CI it is expected or a failure."""

from __future__ import annotations

import pytest

from tests.conftest import with_skips_judged


def _skipped(reason: str) -> pytest.TestReport:
    return pytest.TestReport("a", ("a.py", 1, "a"), {}, "skipped", ("a.py", 1, f"Skipped: {reason}"), "setup")


@pytest.mark.parametrize(
    ("ci", "reason", "outcome"),
    [
        ("true", "no Node ≥ 20 on PATH", "failed"),
        ("1", "tf_keras, the extra keras2, is not installed", "failed"),
        ("true", "the published models are not in /models; …", "skipped"),
        ("", "no Node ≥ 20 on PATH", "skipped"),
    ],
)
def test_a_skip_that_nobody_expects_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, reason: str, outcome: str
) -> None:
    monkeypatch.setenv("CI", ci)
    assert with_skips_judged(_skipped(reason)).outcome == outcome
