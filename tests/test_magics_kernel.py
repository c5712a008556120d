"""The magics in a real ipykernel; the test plays the browser: it answers the widget's comm over the shell channel."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import ipykernel
import nbclient
import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from tests.bench.reports import done, report

SETUP = """
from unittest import mock
mock.patch("tfjs_magic.bench.widget.load_assets", dict).start()
mock.patch("tfjs_magic.bench.widget.load_esm", str).start()
from tests.bench.tiny import tiny_model
web = tiny_model()
%load_ext tfjs_magic
"""


class Kernel:
    """Runs cells in a kernel and keeps their messages."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.comms: list[str] = []
        self.closed: list[str] = []
        self.updates: list[Any] = []
        self.told = 0

    def run(self, code: str, *, cell: str = "", meanwhile: Callable[[], None] = lambda: None) -> list[Any]:
        """Run the code in a cell of its own, unless that has a name."""
        request = self.client.session.msg("execute_request", {"code": code, "store_history": True, "silent": False})
        request["metadata"]["cellId"] = cell or uuid.uuid4().hex
        self.client.shell_channel.send(request)
        meanwhile()
        heard = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            if kind == "comm_open" and content["target_name"] == "jupyter.widget":
                self.comms.append(content["comm_id"])
            if kind == "update_display_data":
                self.updates.append(content)
            if kind == "comm_close":
                self.closed.append(content["comm_id"])
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            heard.append((kind, content))
            if kind == "status" and content["execution_state"] == "idle":
                return heard

    def tell(self, **message: Any) -> None:
        self.told += 1
        data = {"method": "custom", "content": {"id": self.told, "page": "p", **message}}
        content = {"comm_id": self.comms[-1], "data": data}
        self.client.shell_channel.send(self.client.session.msg("comm_msg", content))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(client)
        assert _error(kernel.run(SETUP)) is None
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _error(heard: list[Any]) -> Any:
    return next((content for kind, content in heard if kind == "error"), None)


def _displayed(heard: list[Any]) -> list[Any]:
    return [content["data"] for kind, content in heard if kind in {"display_data", "execute_result"}]


def test_the_widget_and_below_it_the_static_output_are_displayed(kernel: Kernel) -> None:
    view, static = _displayed(kernel.run("%tfjs_benchmark web --backend wasm"))
    assert "application/vnd.jupyter.widget-view+json" in view
    assert "tfjs-magic-static" in static["text/html"]
    assert "not run: no browser opened it" in static["text/html"]  # as papermill and nbconvert --execute save it
    assert "not run: no browser opened it" in static["text/plain"]


@pytest.mark.skipif(ipykernel.version_info < (7,), reason="ipykernel 6 hands on no message while a cell awaits")
def test_await_in_a_cell_hears_the_page_and_the_static_output_is_filled(kernel: Kernel) -> None:
    heard = kernel.run("bench = %tfjs_benchmark web --backend wasm\nbench")
    static = next(c for _, c in heard if "tfjs-magic-static" in c.get("data", {}).get("text/html", ""))

    def play() -> None:
        time.sleep(0.3)
        kernel.tell(kind="claim", again=False, choice=None, task=None)
        kernel.tell(kind="report", **done(1.5, 2.5))

    heard = kernel.run("(await bench).summary[0]['median_ms']", meanwhile=play)
    assert [data["text/plain"] for data in _displayed(heard)] == ["2.0"]
    assert kernel.updates[-1]["transient"] == static["transient"]
    assert "<table>" in kernel.updates[-1]["data"]["text/html"]
    assert [data["text/plain"] for data in _displayed(kernel.run("bench.result.status"))] == ["'finished'"]


def test_result_is_there_after_the_page_has_finished_between_two_cells(kernel: Kernel) -> None:
    kernel.run("bench = %tfjs_benchmark web --backend wasm")
    kernel.tell(kind="claim", again=False, choice=None, task=None)
    kernel.tell(kind="report", **done(1.5, 2.5))
    assert [data["text/plain"] for data in _displayed(kernel.run("bench.result.status"))] == ["'finished'"]


def test_a_blocking_cell_does_not_make_the_page_look_gone(kernel: Kernel) -> None:
    kernel.run("bench = %tfjs_benchmark web --backend wasm")
    kernel.tell(kind="claim", again=False, choice=None, task=None)
    shorten = (
        "from tfjs_magic.bench import session; session.HEARTBEAT_TIMEOUT_S, kept = 1.5, session.HEARTBEAT_TIMEOUT_S"
    )
    kernel.run(shorten)
    kernel.run("import time; time.sleep(3)", meanwhile=lambda: kernel.tell(kind="report", **report()))
    assert [data["text/plain"] for data in _displayed(kernel.run("bench.status"))] == ["'running'"]
    kernel.run("import asyncio; await asyncio.sleep(4)")
    heard = kernel.run("session.HEARTBEAT_TIMEOUT_S = kept; bench.status")
    assert [data["text/plain"] for data in _displayed(heard)] == ["'interrupted'"]


def test_running_a_cell_again_closes_its_widgets_and_no_others(kernel: Kernel) -> None:
    kernel.run("%tfjs_benchmark web", cell="other")
    cell = "a = %tfjs_benchmark web\nb = %tfjs_benchmark web"
    opened = len(kernel.comms)
    kernel.run(cell, cell="twice")
    first = kernel.comms[opened:]
    before = len(kernel.closed)
    kernel.run(cell, cell="twice")
    assert len(first) == 4  # each widget has its layout
    assert sorted(kernel.closed[before:]) == sorted(first)


@pytest.mark.parametrize("wait", ["", "import asyncio; await asyncio.sleep(0.01)"])
def test_an_error_in_the_body_fails_the_cell_with_the_users_traceback(kernel: Kernel, wait: str) -> None:
    error = _error(kernel.run(f"%%tfjs_convert web\n{wait}\n1 / 0"))
    text = "\n".join(error["traceback"])
    assert error["ename"] == "ZeroDivisionError"
    assert "line 3" in text or "\x1b[32m3\x1b[39m" in text
    assert "magics.py" not in text


@pytest.mark.parametrize("wait", ["", "import asyncio; await asyncio.sleep(0.01)"])
def test_the_body_runs_once_with_output_and_await(kernel: Kernel, wait: str) -> None:
    """``runs`` is no model, so that the magic ends in its one line after the body has run."""
    heard = kernel.run(f"%%tfjs_convert runs\nruns = globals().get('runs', 0) + 1\nprint('body')\n{wait}\n")
    streams = {content["name"]: content["text"] for kind, content in heard if kind == "stream"}
    assert streams["stdout"] == "body\n"
    assert streams["stderr"].startswith("UsageError: ")
    assert [data["text/plain"] for data in _displayed(kernel.run("runs, globals().pop('runs')"))] == ["(1, 1)"]


def test_a_mistake_in_an_async_cell_is_one_line_too(kernel: Kernel) -> None:
    heard = kernel.run("%%tfjs_convert\nimport asyncio\nawait asyncio.sleep(0)\nNone")
    assert ["UsageError: the cell's last expression is None" in c["text"] for k, c in heard if k == "stream"] == [True]


def test_a_cell_that_is_run_again_shows_the_difference_from_its_last_numbers(kernel: Kernel) -> None:
    cell = "%tfjs_benchmark web --backend wasm"
    for runs in ([2.0] * 9, [], [1.0] * 9):  # the one in the middle ends without numbers, and is passed over
        kernel.run(cell, cell="again")
        kernel.tell(kind="claim", again=False, choice=None, task=None)
        kernel.tell(kind="report", **done(*runs))
    kernel.run("pass")
    assert kernel.updates[-1]["data"]["text/plain"].startswith("web, wasm takes 0.500 times as long as before")


@pytest.mark.skipif(ipykernel.version_info < (7,), reason="ipykernel 6 hands on no message while a cell awaits")
def test_await_in_the_cell_that_makes_the_benchmark_shows_and_runs_it(kernel: Kernel) -> None:
    opened = len(kernel.comms)

    def play() -> None:
        while len(kernel.comms) < opened + 2:  # the layout has one of its own
            message = kernel.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "comm_open":
                kernel.comms.append(message["content"]["comm_id"])
        kernel.tell(kind="claim", again=False, choice=None, task=None)
        kernel.tell(kind="report", **done(1.5, 2.5))

    code = "import tfjs_magic\nresult = await tfjs_magic.benchmark(web, backends='wasm')\nresult.status"
    heard = kernel.run(code, meanwhile=play)
    static, status = _displayed(heard)[-2:]
    assert "tfjs-magic-static" in static["text/html"]
    assert status["text/plain"] == "'finished'"


def test_a_notebook_that_is_executed_without_a_browser_says_so() -> None:
    """As nbconvert --execute and papermill do, which are nbclient."""
    cells = [nbformat.v4.new_code_cell(source) for source in (SETUP, "%tfjs_benchmark web --backend wasm")]
    executed = nbclient.execute(nbformat.v4.new_notebook(cells=cells))
    shown = [output["data"] for output in executed.cells[1].outputs if "data" in output]
    assert any("not run: no browser opened it" in data.get("text/html", "") for data in shown)
