"""Drives a real JupyterLab: a server that touches nothing of the user's, and notebooks in a browser."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page

REPOSITORY = Path(__file__).resolve().parents[2]
SERVER_START_TIMEOUT_S = 60.0
#: TensorFlow's import and a first conversion on a busy machine.
CELL_TIMEOUT_S = 120.0
_ATTEMPTS = 5
_ASK_EVERY_MS = 50
Theme = Literal["JupyterLab Light", "JupyterLab Dark"]
THEMES: tuple[Theme, ...] = get_args(Theme)

#: JupyterLab would ask whether to fetch news.
_NOTIFICATIONS = {"fetchNews": "false", "checkForUpdates": False}
_SCRIPT = Path(__file__).with_name("lab.js")


class LabServer:
    """A JupyterLab on a free port of this machine, with settings, kernels and workspaces of its own.

    Args:
        home: An empty directory: notebooks go to ``home/notebooks``, everything else beside it.
        csp: A Content-Security-Policy for every page, as an administrator would set it.

    Raises:
        RuntimeError: The server did not start; the message holds the end of its log.
    """

    _MODULE = "jupyterlab"
    _APP = "LabApp"

    def __init__(self, home: Path, *, csp: str | None = None) -> None:
        self.root = home / "notebooks"
        self._log = home / "server.log"
        self._token = secrets.token_hex(16)
        self.root.mkdir(parents=True, exist_ok=True)
        notifications = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        notifications.parent.mkdir(parents=True, exist_ok=True)
        notifications.write_text(json.dumps(_NOTIFICATIONS))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(port, csp), cwd=self.root, env=environment(home), stdout=log, stderr=log
            )
        self._wait_until_up()

    def notebook(self, browser: Browser, cells: Sequence[str] = (), *, name: str) -> Notebook:
        """Write ``name`` with these code cells, unless there are none, and open it in a window of its own.

        Whoever asks closes the window.
        """
        if cells:
            self.write(name, cells)
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        notebook = Notebook(context.new_page(), self, name)
        notebook.open()
        return notebook

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """Write a notebook file."""
        content = nbformat.v4.new_notebook()
        content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content.cells = [nbformat.v4.new_code_cell(source) for source in cells]
        path = self.root / name
        nbformat.write(content, path)
        return path

    def address(self, name: str) -> str:
        """Return the page that shows a notebook; a fresh workspace, so that nothing else is open."""
        workspace = secrets.token_hex(4)
        return f"{self.url}/lab/workspaces/{workspace}/tree/{name}?token={self._token}"

    def kernels(self) -> list[str]:
        """Return the ids of the kernels that run now."""
        with urllib.request.urlopen(f"{self.url}/api/kernels?token={self._token}", timeout=10) as answer:
            return [kernel["id"] for kernel in json.load(answer)]

    def shut_down_kernels(self, *, except_for: Collection[str]) -> None:
        """End every kernel but those, which other tests go on using."""
        for kernel in set(self.kernels()) - {*except_for}:
            address = f"{self.url}/api/kernels/{kernel}?token={self._token}"
            urllib.request.urlopen(urllib.request.Request(address, method="DELETE"), timeout=30).close()

    @property
    def log(self) -> str:
        """The last lines that the server wrote."""
        return self._log.read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """End the server, which ends its kernels."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _command(self, port: int, csp: str | None) -> list[str]:
        options = {
            "IdentityProvider.token": self._token,
            f"{self._APP}.expose_app_in_browser": True,
            f"{self._APP}.open_browser": False,
            "ServerApp.allow_root": True,
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.open_browser": False,
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.root,
        }
        if csp is not None:
            options["ServerApp.tornado_settings"] = {"headers": {"Content-Security-Policy": csp}}
        return [sys.executable, "-m", self._MODULE, *(f"--{name}={value}" for name, value in options.items())]

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + SERVER_START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                self.kernels()
                return
            time.sleep(0.1)
        self.close()
        raise RuntimeError(
            f"{self._MODULE} did not start within {SERVER_START_TIMEOUT_S:.0f} s. Its log ends:\n{self.log}"
        )


class Notebook7Server(LabServer):
    """A Jupyter Notebook 7: parts of JupyterLab in a page for one notebook."""

    _MODULE = "notebook"
    _APP = "JupyterNotebookApp"

    def address(self, name: str) -> str:
        """Return the page that shows a notebook."""
        return f"{self.url}/notebooks/{name}?token={self._token}"


class Notebook:
    """One notebook in one browser tab.

    Attributes:
        problems: Uncaught page errors, console errors that come from our scripts, and dialogs: expected to stay empty.
    """

    def __init__(self, page: Page, server: LabServer, name: str) -> None:
        self.page = page
        self.server = server
        self.name = name
        self.problems: list[str] = []
        page.add_init_script(path=_SCRIPT)
        page.on("dialog", self._dismiss)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("console", self._listen)

    def open(self, *, kernel: bool = True) -> None:
        """Load the page with this notebook and wait for its kernel, unless it is to have none."""
        self.page.goto(self.server.address(self.name) + ("" if kernel else "&kernel=none"))
        self._wait_until_ready(kernel=kernel)

    def reload(self) -> None:
        """Reload the page, as a user would."""
        self.page.reload()
        self._wait_until_ready(kernel=True)

    def command(self, name: str, **arguments: object) -> None:
        """Execute a JupyterLab command, the one behind a menu entry or a key."""
        self._call("command", [name, arguments])

    # ---------------------------------------------------------------- cells

    def set_cells(self, cells: Sequence[str]) -> None:
        """Replace all cells, outputs included."""
        self._call("setCells", list(cells))
        self.page.wait_for_function("count => lab.count() === count", arg=len(cells))

    def set_source(self, index: int, source: str) -> None:
        """Edit a cell; its outputs stay."""
        self._call("setSource", [index, source])

    def select(self, index: int) -> None:
        """Make a cell the active one."""
        self._call("select", index)

    def scroll_to(self, index: int) -> None:
        """Bring a cell into sight."""
        self._call("scrollTo", index)

    def start(self, index: int) -> None:
        """Begin to run a cell, and come back at once."""
        self._call("start", index)

    def start_all(self) -> None:
        """Begin Run All, and come back at once."""
        self._call("startAll")

    def wait_for_cell(self, index: int | Literal["all"], *, timeout_s: float = CELL_TIMEOUT_S) -> None:
        """Wait until the cell's last run, or Run All, has ended, well or not."""
        self.page.wait_for_function("key => lab.hasEnded(key)", arg=index, timeout=1000 * timeout_s)

    def run(self, index: int, *, timeout_s: float = CELL_TIMEOUT_S) -> None:
        """Run a cell to its end.

        Raises:
            AssertionError: It failed; see ``run_failing``.
        """
        for _ in range(_ATTEMPTS):
            self.run_failing(index, timeout_s=timeout_s)
            if self._call("hasRun", index):
                break
        else:
            raise AssertionError(f"JupyterLab did not run cell {index} in {_ATTEMPTS} attempts")
        failures = [error for output in self.outputs(index) for error in errors_in(output)]
        assert not failures, self.text(index)

    def run_failing(self, index: int, *, timeout_s: float = CELL_TIMEOUT_S) -> None:
        """Run a cell to its end, well or not."""
        self.start(index)
        self.wait_for_cell(index, timeout_s=timeout_s)

    def run_all(self, *, timeout_s: float = CELL_TIMEOUT_S) -> None:
        """Run All Cells, to its end."""
        self.start_all()
        self.wait_for_cell("all", timeout_s=timeout_s)

    def wait_until(self, condition: Callable[[], object], *, timeout_s: float = CELL_TIMEOUT_S) -> None:
        """Ask again and again until ``condition`` holds.

        Raises:
            AssertionError: It does not within the time.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s"
            self.page.wait_for_timeout(_ASK_EVERY_MS)

    @property
    def workers(self) -> list[str]:
        """The addresses of the page's workers that came from memory, as ours do."""
        return [worker.url for worker in self.page.workers if worker.url.startswith("blob:")]

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """Return a cell's outputs as the notebook file would hold them."""
        found: list[dict[str, Any]] = self._call("outputs", index)
        return found

    def text(self, index: int) -> str:
        """Return what a cell printed: streams, plain results, errors."""
        return "".join(_plain(output) for output in self.outputs(index))

    @property
    def cell_count(self) -> int:
        """How many cells there are."""
        found: int = self._call("count")
        return found

    def shows_widget(self, index: int) -> bool:
        """Whether a cell's outputs hold a widget, drawn already or not."""
        return any("application/vnd.jupyter.widget-view+json" in one.get("data", {}) for one in self.outputs(index))

    def cell(self, index: int) -> Locator:
        """Return a cell's element."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    # ---------------------------------------------------------------- kernel

    def python(self, expression: str, *, after: str = "") -> Any:
        """Evaluate an expression in the kernel, behind the notebook's back; the value must be JSON.

        Args:
            expression: What to evaluate.
            after: Statements to run before it.

        Raises:
            RuntimeError: It failed in the kernel.
        """
        value = self._call("python", [after, expression])
        if value.get("status") != "ok" or "data" not in value:
            raise RuntimeError(f"'{expression}' failed in the kernel: {value.get('ename')}: {value.get('evalue')}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def restart_kernel(self) -> None:
        """Restart the kernel; the confirmation that the menu entry would ask for is left out."""
        self._call("restart")

    # ---------------------------------------------------------------- page

    def use_theme(self, theme: Theme) -> None:
        """Switch JupyterLab's theme."""
        self.command("apputils:change-theme", theme=theme)
        self.page.wait_for_function("theme => lab.hasTheme(theme)", arg=theme)

    def show_sidebar(self, *, shown: bool) -> None:
        """Show or hide the file browser."""
        self._call("showSidebar", shown)

    def save(self) -> nbformat.NotebookNode:
        """Save; return the file's content."""
        self._call("save")
        return nbformat.read(self.server.root / self.name, as_version=4)

    def in_new_tab(self) -> Notebook:
        """Open the same notebook, on the same kernel, in a second tab of the window."""
        other = Notebook(self.page.context.new_page(), self.server, self.name)
        other.open()
        return other

    def close(self) -> None:
        """Close the window, this tab and the others; the kernel stays."""
        self.page.context.close()

    def _call(self, function: str, argument: object = None) -> Any:
        return self.page.evaluate(f"argument => lab.{function}(argument)", argument)

    def _wait_until_ready(self, *, kernel: bool) -> None:
        wanted = {"path": self.name, "kernel": kernel}
        self.page.wait_for_function("wanted => globalThis.lab?.isReady(wanted)", arg=wanted, timeout=60_000)
        if kernel:
            self._call("kernelAnswers")

    def _dismiss(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload":
            dialog.accept()
            return
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error" and any(word in message.text for word in ("tfjs", "anywidget", "blob:")):
            self.problems.append(f"console: {message.text}")


def errors_in(output: Mapping[str, Any]) -> list[str]:
    """Return what one output of a cell says went wrong: a traceback's last line, or a ``UsageError``'s only one."""
    if output["output_type"] == "error":
        return [f"{output['ename']}: {output['evalue']}"]
    text = "".join(output.get("text", ""))
    return [text] if output["output_type"] == "stream" and "UsageError" in text else []


def _plain(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return "\n".join(output["traceback"]) or f"{output['ename']}: {output['evalue']}"
    return "".join(output["data"].get("text/plain", "")) + "\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(home: Path) -> dict[str, str]:
    """Return this environment without the user's Jupyter, IPython and Keras settings, and with this package in it."""
    ours = {
        "IPYTHONDIR": home / "ipython",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "KERAS_HOME": home / "keras",
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }
    defaults = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
    return {**defaults, **os.environ, **{name: str(value) for name, value in ours.items()}}
