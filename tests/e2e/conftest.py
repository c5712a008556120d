"""One JupyterLab and one Chromium for all tests in this directory."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.e2e.chromium import ChromiumMissingError, launch, require_chromium
from tests.e2e.lab import REPOSITORY, LabServer, Notebook
from tests.e2e.webdriver import require_chromedriver

HERE = Path(__file__).parent
#: Screenshots of the tests that look, and of whatever a test left behind that failed.
PICTURES = REPOSITORY / "build" / "e2e"

#: A bound on what ought to be there in no time, on a machine that does much else.
expect.set_options(timeout=60_000)

#: Opens an address in a window of its own.
Open = Callable[..., Page]

_FAILED = pytest.StashKey[bool]()

#: Runs before the tests of the shared notebook: imports TensorFlow once.
_PRELUDE = "%load_ext tfjs_magic\nimport keras, tests.models, tfjs_magic, tfjs_magic.pipeline"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests here, before ``-m`` looks at the marks."""
    item.add_marker(pytest.mark.e2e)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests here last: Playwright keeps an event loop running, which others must not meet."""
    ours = [item for item in items if HERE in item.path.parents]
    items[:] = [item for item in items if HERE not in item.path.parents] + ours


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember failures, so that fixtures can take a picture and start afresh."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without one the test is skipped."""
    try:
        return require_chromium()
    except ChromiumMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def chromedriver() -> str:
    """Chromium's driver; without one the test is skipped."""
    try:
        return require_chromedriver()
    except ChromiumMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One driver: Playwright allows no second one in a thread."""
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Chromium without a GPU."""
    running = launch(playwright, chromium)
    yield running
    running.close()


@pytest.fixture(scope="session")
def gpu_browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    """Chromium with WebGL and WebGPU in software."""
    running = launch(playwright, chromium, software_gpu=True)
    yield running
    running.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """The JupyterLab of this session."""
    server = LabServer(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


class _Shared:
    """A notebook whose kernel has loaded the extension and TensorFlow; opened anew after a failure."""

    def __init__(self, lab: LabServer, browser: Browser, name: str) -> None:
        self._lab = lab
        self._browser = browser
        self._name = name
        self._notebook: Notebook | None = None
        self._opened = 0

    def lend(self, request: pytest.FixtureRequest) -> Iterator[Notebook]:
        """Yield the notebook empty; afterwards look for problems."""
        if self._notebook is None:
            name = f"{self._name}{self._opened}.ipynb"
            self._notebook = self._lab.notebook(self._browser, [_PRELUDE], name=name)
            self._notebook.run(0)
            self._opened += 1
        notebook = self._notebook
        notebook.set_cells([""])
        notebook.problems.clear()
        yield notebook
        if request.node.stash.get(_FAILED, False):
            _take_picture(notebook, request.node.name)
            self.close()
        else:
            assert notebook.problems == []

    def close(self) -> None:
        """Close its window, before the browser closes."""
        if self._notebook is not None:
            self._notebook.close()
        self._notebook = None


@pytest.fixture(scope="session")
def _shared(lab: LabServer, browser: Browser) -> Iterator[_Shared]:
    shared = _Shared(lab, browser, "shared")
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def _shared_gpu(lab: LabServer, gpu_browser: Browser) -> Iterator[_Shared]:
    shared = _Shared(lab, gpu_browser, "shared_gpu")
    yield shared
    shared.close()


@pytest.fixture
def notebook(_shared: _Shared, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """A notebook with the extension and TensorFlow loaded; tests share it, one after the other."""
    yield from _shared.lend(request)


@pytest.fixture
def gpu_notebook(_shared_gpu: _Shared, request: pytest.FixtureRequest) -> Iterator[Notebook]:
    """The same where there are WebGL and WebGPU."""
    yield from _shared_gpu.lend(request)


@pytest.fixture
def new_notebook(
    lab: LabServer, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[[list[str]], Notebook]]:
    """Opens notebooks with these cells, each with a kernel and a window of its own."""
    opened: list[Notebook] = []
    before = set(lab.kernels())

    def give(cells: list[str]) -> Notebook:
        name = f"{re.sub(r'[^a-z0-9]+', '_', request.node.name.lower())}{len(opened)}.ipynb"
        opened.append(lab.notebook(browser, cells, name=name))
        return opened[-1]

    yield give
    for one in opened:
        if request.node.stash.get(_FAILED, False):
            _take_picture(one, f"{request.node.name}-{one.name}")
        one.close()
    lab.shut_down_kernels(except_for=before)
    if not request.node.stash.get(_FAILED, False):
        assert [problem for one in opened for problem in one.problems] == []


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def end_headers(self) -> None:
        """Let the browser keep nothing, which is hardest."""
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server of this machine for the files in ``tmp_path``."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens pages; whatever one of them says on its console, violations of its policy too, is a failure."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def give(address: str, *, on: Browser = browser, **options: Any) -> Page:
        contexts.append(on.new_context(**{"viewport": {"width": 1100, "height": 900}} | options))
        page = contexts[-1].new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.goto(address)
        return page

    yield give
    for context in contexts:
        context.close()
    assert [text for text in said if not _about_a_gpu(text)] == []


def _about_a_gpu(text: str) -> bool:
    """Chromium itself warns of software GPUs."""
    return bool(re.search(r"GL Driver Message|WebGPU|powerPreference|swiftshader", text, re.IGNORECASE))


def _take_picture(notebook: Notebook, name: str) -> None:
    if not notebook.page.is_closed():
        PICTURES.mkdir(parents=True, exist_ok=True)
        notebook.page.screenshot(path=PICTURES / f"failed-{re.sub(r'[^A-Za-z0-9]+', '-', name)}.png")
