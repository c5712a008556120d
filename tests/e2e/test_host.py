"""What front ends do that no test can drive: VS Code's policy for notebooks, and Colab's frame for each output.

None of these pages tells whether the kernel is idle.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

import tfjs_magic
from tests import models
from tests.e2e.host import Output, show
from tests.e2e.widget import Widget
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions

#: Source: microsoft/vscode ``src/vs/workbench/contrib/notebook/browser/view/renderers/backLayerWebView.ts``, with
#: ``notebook.experimental.enableCsp``; ``'self'`` is here what the webview's own address is there.
VS_CODE = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' https: http: data:; font-src 'self' https:; connect-src https:; child-src https: data:"
)
NO_WORKER = "script-src 'self' 'unsafe-eval'; worker-src 'none'; connect-src 'none'"
NO_CODE = "script-src 'self' 'wasm-unsafe-eval'"
ENDLESS = 100_000


@pytest.fixture(scope="module")
def web() -> TfjsModel:
    return tfjs_magic.convert(models.small_cnn())


@pytest.fixture
def shown() -> Iterator[list[Page]]:
    pages: list[Page] = []
    yield pages
    for page in pages:
        page.context.close()


def _output(web: TfjsModel, runs: int = 6) -> Output:
    return Output(web, BenchmarkOptions(backends=["wasm", "cpu"], runs=runs))


def _widget(page: Page, name: str = "0") -> Widget:
    return Widget(page.frame_locator(f"iframe[name='{name}']").locator("body"))


@pytest.mark.parametrize(
    ("policy", "worker"),
    [
        pytest.param(VS_CODE, True, id="vs-code"),
        pytest.param(NO_WORKER, False, id="no-worker", marks=pytest.mark.slow),
    ],
)
def test_runs_without_blobs(browser: Browser, shown: list[Page], web: TfjsModel, policy: str, *, worker: bool) -> None:
    output = _output(web)
    shown.append(show(browser, [output], policy=policy))
    widget = _widget(shown[0]).wait_for("finished")
    assert ["✓ passed" in row["Against Python"] for row in widget.rows] == [True, True]
    snapshot = output.session.snapshot
    assert snapshot["environment"] is not None
    assert snapshot["environment"]["worker"] is worker
    assert any("main thread" in note for note in widget.notes) is not worker


def test_a_policy_that_lets_no_code_run_is_named(browser: Browser, shown: list[Page], web: TfjsModel) -> None:
    shown.append(show(browser, [_output(web)], policy=NO_CODE))
    told = shown[0].frame_locator("iframe").get_by_role("alert")
    expect(told).to_contain_text("neither blob: nor 'unsafe-eval'")
    expect(told).to_contain_text("--browser chrome")


@pytest.mark.slow
def test_wasm_that_may_not_be_compiled_is_named(browser: Browser, shown: list[Page], web: TfjsModel) -> None:
    shown.append(show(browser, [_output(web)], policy="script-src 'self' blob:; worker-src blob:"))
    widget = _widget(shown[0]).wait_for("finished")
    assert "wasm-unsafe-eval" in widget.root.inner_text()
    assert "✓ passed" in widget.rows[1]["Against Python"]


def test_outputs_in_frames_take_turns_and_share_files(browser: Browser, shown: list[Page], web: TfjsModel) -> None:
    outputs = [_output(web, ENDLESS), _output(web, ENDLESS)]
    shown.append(show(browser, outputs, policy=VS_CODE))
    widgets = [_widget(shown[0], name) for name in "01"]
    expect(shown[0].locator("iframe >> nth=1")).to_be_visible()
    while not any(claimed := ["runtime.js" in output.asked for output in outputs]):
        shown[0].wait_for_timeout(50)
    runs, waits = sorted(widgets, key=lambda widget: not claimed[widgets.index(widget)])
    runs.wait_for_runs(3)
    waits.wait_for_text("Waiting for another benchmark in this browser")
    runs.press("Stop")
    runs.wait_for("stopped")
    waits.wait_for_runs(3)
    waits.press("Stop")
    waits.wait_for("stopped")
    assert [name for output in outputs for name in output.asked].count("runtime.js") == 1


@pytest.mark.slow
def test_a_lost_answer_is_asked_for_again(browser: Browser, shown: list[Page], web: TfjsModel) -> None:
    output = _output(web)
    output.loses = lambda kind: kind == "get_weights" and output.asked.count(kind) == 1
    shown.append(show(browser, [output], policy=VS_CODE))
    _widget(shown[0]).wait_for("finished")
    assert output.asked.count("get_weights") == 2
