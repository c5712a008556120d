"""Reads and presses the benchmark widget as a user does: by what the page shows."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from playwright.sync_api import Locator, expect

from tfjs_magic.bench.order_statistics import three_digits
from tfjs_magic.bench.state import ENDED

RUN_TIMEOUT_S = 120.0
#: The table shows three digits.
ROUNDING = 0.006


class Widget:
    """One view of a benchmark.

    Args:
        scope: The page, or an element in it that holds exactly one view.
    """

    def __init__(self, scope: Locator) -> None:
        self.root = scope.locator("section.tfjs-magic")

    @property
    def status(self) -> str:
        """One of the words of the protocol, or "queued" and "claiming" before it runs."""
        return self.root.get_attribute("data-status") or ""

    @property
    def status_text(self) -> str:
        """The status line."""
        return self.root.locator(".tm-status p").inner_text()

    def wait_for(self, status: str | Collection[str], *, timeout_s: float = RUN_TIMEOUT_S) -> Widget:
        """Wait for a status.

        Raises:
            AssertionError: Another end came first, or none within the time.
        """
        wanted = {status} if isinstance(status, str) else {*status}
        ways_out = wanted | ENDED if "finished" in wanted else wanted
        pattern = re.compile(f"^({'|'.join(sorted(ways_out))})$")
        expect(self.root).to_have_attribute("data-status", pattern, timeout=1000 * timeout_s)
        while (found := self.status) not in ways_out:  # that was the end of the run before
            expect(self.root).to_have_attribute("data-status", pattern, timeout=1000 * timeout_s)
        assert found in wanted, f"the widget is {found}, expected {wanted}: {self.root.inner_text()}"
        return self

    def wait_for_text(self, pattern: str, *, timeout_s: float = RUN_TIMEOUT_S) -> Widget:
        """Wait until the status line matches a regular expression."""
        line = self.root.locator(".tm-status p").filter(has_text=re.compile(pattern))
        line.wait_for(timeout=1000 * timeout_s)
        return self

    def wait_for_runs(self, count: int, *, timeout_s: float = RUN_TIMEOUT_S) -> Widget:
        """Wait until the plot shows at least so many runs."""
        self.run_dots.nth(count - 1).wait_for(state="attached", timeout=1000 * timeout_s)
        return self

    @property
    def run_dots(self) -> Locator:
        """The plot's marks of timed runs."""
        return self.root.locator(".tm-plot svg [data-part=run] > *")

    @property
    def warmup_dots(self) -> Locator:
        """The plot's marks of warm-up runs, without the first run."""
        return self.root.locator(".tm-plot svg [data-part=warmup] > *")

    @property
    def rows(self) -> list[dict[str, str]]:
        """The table: one dict per job, column → text; "job" is the row's head."""
        found: list[dict[str, str]] = self.root.locator("table.tm-jobs > tbody > tr[data-job]").evaluate_all(
            "rows => rows.map(row => Object.fromEntries([['job', row.querySelector('th').innerText],"
            " ...[...row.querySelectorAll('td[data-label]')].map(td => [td.dataset.label, td.innerText.trim()])]))"
        )
        return found

    @property
    def row(self) -> dict[str, str]:
        """The table's only row."""
        (row,) = self.rows
        return row

    def press(self, name: str) -> None:
        """Press the button of this name."""
        self.root.get_by_role("button", name=name, exact=True).click()

    def ask(self, button: str, contender: str) -> None:
        """Choose a contender of several before the button, and press it."""
        asked = self.root.locator(".tm-ask", has=self.root.page.get_by_role("button", name=button, exact=True))
        asked.locator("select").select_option(label=contender)
        asked.get_by_role("button").click()

    def is_enabled(self, name: str) -> bool:
        """Whether the button of this name can be pressed."""
        return self.root.get_by_role("button", name=name, exact=True).is_enabled()

    def wait_until_drawn(self) -> None:
        """Wait until the plot has the size of the widget, which it takes on in the frame after a change."""
        self.root.evaluate(
            "root => new Promise(done => { const look = () => {"
            " const width = root.querySelector('.tm-plot svg').getBoundingClientRect().width;"
            " if (Math.abs(width - root.clientWidth) < 8) done(); else requestAnimationFrame(look); }; look(); })"
        )

    @property
    def notes(self) -> list[str]:
        """The notes and errors above the plot."""
        return self.root.locator(".tm-note, .tm-error").all_inner_texts()


def milliseconds(text: str) -> float:
    """Read a latency as the table writes it, with three digits; what stands below it is left out."""
    match = re.fullmatch(r"([\d.]+) (ms|s)", text.split("\n", maxsplit=1)[0])
    assert match, f"'{text}' is no latency"
    return float(match[1]) * (1000 if match[2] == "s" else 1)


def result_expression(name: str) -> str:
    """Return the expression for ``Notebook.python`` that turns the BenchmarkResult ``name`` into JSON."""
    return f"__import__('json').loads({name}.to_json())"


def agree(widget: Widget, result: dict[str, Any]) -> None:
    """Assert that what the page shows is what Python has."""
    lines = widget.root.locator(".tm-comparisons li").all_inner_texts()
    for line, row in zip(lines, result["comparisons"], strict=True):
        assert f"{three_digits(row['low'])}–{three_digits(row['high'])}" in line
    timed = [run for run in result["runs"] if run["phase"] == "run"]
    assert widget.run_dots.count() == len(timed)
    assert widget.warmup_dots.count() == sum(run["phase"] == "warmup" for run in result["runs"])
    for row, summary in zip(widget.rows, result["summary"], strict=True):
        assert summary["backend"] in row["job"]
        assert summary["parity"] is None or summary["parity"].replace("_", " ") in row["Against Python"]
        if summary["parity"] == "inconclusive":
            assert summary["parity_note"] in widget.notes
        for column, key in (("Median", "median_ms"), ("p90", "p90_ms"), ("Min", "min_ms"), ("First run", "first_ms")):
            if summary[key] is not None:
                assert abs(milliseconds(row[column]) - summary[key]) <= ROUNDING * summary[key], (column, row, summary)
