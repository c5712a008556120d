"""A benchmark without a notebook's page: Chromium through its driver, from Python, the shell and nbconvert."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import nbformat
import numpy as np
import psutil
import pytest

import tfjs_magic
from tests.e2e.lab import REPOSITORY
from tfjs_magic.errors import RunError

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("chromedriver")]
#: More runs than anything here waits for.
ENDLESS = 100_000
PROGRAMS = ("chrom", "node")
COMMAND = (sys.executable, "-m", "tfjs_magic")


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = set(_programs())
    yield
    deadline = time.monotonic() + 20
    while (left := _started_since(before)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _started_since(before: set[psutil.Process]) -> list[psutil.Process]:
    """Return the browsers and drivers that were started since, but for what browsers of other tests have started."""
    left = []
    for process in set(_programs()) - before:
        with contextlib.suppress(psutil.NoSuchProcess):
            if before.isdisjoint(process.parents()):
                left.append(process)
    return left


def _programs(of: int | None = None) -> list[psutil.Process]:
    """Return the browsers and drivers that a process has started, this one by default."""
    found = []
    for process in psutil.Process(of).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().startswith(PROGRAMS):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(16, "relu"), keras.layers.Dense(4)])


@pytest.fixture(scope="module")
def web(model: keras.Model) -> tfjs_magic.TfjsModel:
    return tfjs_magic.convert(model)


@pytest.fixture(scope="module")
def keras_file(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("files") / 'it\'s "quoted".keras'
    model.save(file)
    return file


def test_measures_compares_and_looks_inside(web: tfjs_magic.TfjsModel) -> None:
    label = 'it\'s <b>"quoted"</b> \\'
    bench = tfjs_magic.benchmark({label: web}, backends=["wasm", "webgpu"], runs=8, browser="chrome", profile=True)
    assert bench.status == "pending"
    result = bench.result
    assert [(row["model"], row["backend"], row["n"], row["parity"]) for row in result.summary] == [
        (label, "wasm", 8, "passed"),
        (label, "webgpu", 8, "passed"),
    ]
    assert result.environment is not None
    assert result.environment["worker"]
    assert result.environment["hidden_ms"] == 0
    assert tfjs_magic.BenchmarkResult.from_json(result.to_json()) == result
    assert result.profile(backend="wasm").result.rows, "it is there already"
    assert "agree" in repr(result.divergence(backend="wasm").result)
    assert bench.result.runs == result.runs, "nothing ran again"


def test_can_be_awaited_and_cancelled(web: tfjs_magic.TfjsModel) -> None:
    async def waits() -> tfjs_magic.BenchmarkResult:
        return await tfjs_magic.benchmark(web, backends="wasm", runs=6, browser="chrome")

    assert _run_in_a_thread(waits()).summary[0]["n"] == 6
    bench = tfjs_magic.benchmark(web, backends="wasm", runs=ENDLESS, browser="chrome")

    async def is_cancelled() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(bench, 4)

    _run_in_a_thread(is_cancelled())
    assert bench.status == "pending"


@pytest.mark.slow
def test_many_contenders_and_inputs() -> None:
    inputs = [keras.Input((2,), name=f"in{i}") for i in range(60)]
    many = tfjs_magic.convert(keras.Model(inputs, keras.layers.Add()(inputs)))
    models = {f"contender {i}": many for i in range(12)}
    result = tfjs_magic.benchmark(models, backends="wasm", runs=3, warmup=0, browser="chrome").result
    assert [row["parity"] for row in result.summary] == ["passed"] * 12


@pytest.mark.parametrize("whole", [True, False])
def test_large_tensors_go_both_ways(monkeypatch: pytest.MonkeyPatch, *, whole: bool) -> None:
    """15 MB of weights, 9 MB of samples and 15 MB of output; as files in memory, or in pieces as for a Grid."""
    from tfjs_magic.headless import web_page

    put_whole, answers = web_page.WebPage.put_whole, []
    monkeypatch.setattr(
        web_page.WebPage, "put_whole", lambda *a: answers.append(whole and put_whole(*a)) or answers[-1]
    )
    x = keras.Input((1500,), name="x")
    wide = tfjs_magic.convert(keras.Model(x, keras.layers.Dense(2500)(x)))
    samples = np.random.default_rng(0).normal(size=(1500, 1500)).astype(np.float32)
    result = tfjs_magic.benchmark(wide, backends="wasm", runs=1, warmup=0, samples=samples, browser="chrome").result
    assert result.summary[0]["parity"] == "passed"
    assert answers
    assert set(answers) == {whole and sys.platform == "linux"}


def test_a_browser_that_is_killed_leaves_what_it_measured(web: tfjs_magic.TfjsModel) -> None:
    bench = tfjs_magic.benchmark({"a": web, "b": web}, backends="wasm", runs=ENDLESS, browser="chrome")
    before = set(_programs())
    with _once_it_runs(bench, lambda: _kill("chromium", before)):
        result = bench.result
    assert result.status == "failed"
    for row in result.summary:
        assert row["n"] > 0
        assert row["error"].startswith("Chrome was lost: ")
    assert "Chrome was lost" in result._repr_html_()


def test_a_page_that_is_left_is_lost(web: tfjs_magic.TfjsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfjs_magic.headless import web_page

    bench = tfjs_magic.benchmark(web, backends="wasm", runs=ENDLESS, browser="chrome")
    exchange = web_page.WebPage.exchange

    def leaves(page: Any, brought: str, wait_ms: int) -> str:
        if _runs(bench):
            page._driver.get("about:blank")
        return exchange(page, brought, wait_ms)

    monkeypatch.setattr(web_page.WebPage, "exchange", leaves)
    assert bench.result.summary[0]["error"] == "Chrome was lost: the page was left or reloaded."


def test_a_window_that_is_closed_before_any_number_is_an_error(
    web: tfjs_magic.TfjsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tfjs_magic.headless import web_page

    monkeypatch.setattr(web_page.WebPage, "exchange", lambda page, *_: page._driver.close() or "[]")
    with pytest.raises(RunError, match="Chrome was lost"):
        _ = tfjs_magic.benchmark(web, backends="wasm", browser="chrome").result


def test_a_page_that_does_not_work_is_an_error(web: tfjs_magic.TfjsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from tfjs_magic.headless import benchmark, web_page

    monkeypatch.setattr(benchmark, "_SILENT_EXCHANGES", 2)
    broken = "document.body.textContent = 'This browser lacks gzip.'"
    monkeypatch.setattr(web_page, "_SHOW", broken)
    with pytest.raises(RunError, match=r"Chrome does not run the page. This browser lacks gzip."):
        _ = tfjs_magic.benchmark(web, backends="wasm", browser="chrome").result


def test_what_is_closed_cannot_be_asked(web: tfjs_magic.TfjsModel) -> None:
    bench = tfjs_magic.benchmark(web, backends="wasm", runs=6, browser="chrome")
    result = bench.result
    bench.close()
    assert bench.result == result
    with pytest.raises(RunError, match="the benchmark was closed"):
        result.profile()


def test_an_exception_closes_the_browser(web: tfjs_magic.TfjsModel, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = tfjs_magic.benchmark(web, backends="wasm", runs=6, browser="chrome")
    with monkeypatch.context() as patch:
        patch.setattr(type(bench._session), "receive", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _ = bench.result
    assert bench.result.summary[0]["n"] == 6, "it can be run again"


@pytest.fixture
def grid(chromedriver: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A remote end of the W3C protocol, which is all that we use of a Grid."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([chromedriver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    options = json.dumps({"args": ["--headless=new", "--no-sandbox", "--remote-debugging-pipe"]})
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}?{urllib.parse.urlencode({'goog:chromeOptions': options})}", process
    process.kill()
    process.wait()


def test_a_grid(web: tfjs_magic.TfjsModel, grid: tuple[str, subprocess.Popen[bytes]]) -> None:
    result = tfjs_magic.benchmark(web, backends="wasm", runs=6, browser=grid[0]).result
    assert (result.summary[0]["n"], result.summary[0]["parity"]) == (6, "passed")


def test_a_grid_that_is_lost_leaves_what_it_measured(
    web: tfjs_magic.TfjsModel, grid: tuple[str, subprocess.Popen[bytes]]
) -> None:
    url, process = grid
    bench = tfjs_magic.benchmark(web, backends="wasm", runs=ENDLESS, browser=url)
    with _once_it_runs(bench, process.kill):
        (row,) = bench.result.summary
    assert row["n"] > 0
    assert row["error"].startswith("the Grid at http://127.0.0.1:")


def test_the_shell(keras_file: Path, tmp_path: Path) -> None:
    directory, earlier, page = tmp_path / "web", tmp_path / "earlier.json", tmp_path / "page.html"
    _shell("convert", "--verify", "--backend", "wasm", keras_file, directory, wanted=0)
    done = _shell("convert", "--verify", "--tolerance", "1e-15", keras_file, tmp_path / "none", wanted=1)
    assert "verification on " in done.stderr
    assert not (tmp_path / "none").exists()
    measure = ("benchmark", directory, "--backend", "wasm", "--runs", "20")
    done = _shell(*measure, "--json", "--html", page, wanted=0)
    assert f"written to: {page}" in done.stderr
    earlier.write_text(done.stdout)
    assert "<svg" in page.read_text()
    done = _shell(*measure, "--max-median-ms", "1e-6", "--max-ratio-to", earlier, "--max-ratio", "1e-3", wanted=1)
    assert "above the bound of 1e-06 ms" in done.stderr
    assert "allowed is 0.001" in done.stderr
    assert done.stdout.startswith("model ")
    wide = ("--max-median-ms", "1e6", "--max-ratio-to", earlier, "--max-ratio", "1e3")
    assert "kernel" in _shell(*measure, *wide, "--profile", wanted=0).stdout


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL])
def test_ended_in_the_shell(how: signal.Signals, keras_file: Path) -> None:
    command = [*COMMAND, "benchmark", str(keras_file), "--backend", "wasm", "--runs", str(ENDLESS)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(programs := _programs(process.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)
    os.kill(process.pid, how)
    _, told = process.communicate(timeout=60)
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert "Traceback" not in told
    psutil.wait_procs(programs, timeout=20)
    assert [one for one in programs if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.slow
def test_killed_before_there_is_a_browser(keras_file: Path) -> None:
    command = [*COMMAND, "benchmark", str(keras_file), "--backend", "wasm", "--runs", str(ENDLESS)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL, start_new_session=True)
    while not (found := _programs(process.pid)):
        assert process.poll() is None
        time.sleep(0.005)
    group = os.getpgid(found[0].pid)
    time.sleep(0.2)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 20
    while (left := [p for p in psutil.process_iter() if _is_in(p, group)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def _is_in(process: psutil.Process, group: int) -> bool:
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_nbconvert_executes_it(tmp_path: Path) -> None:
    cells = [
        "%load_ext tfjs_magic\nimport tests.models",
        "%%tfjs_convert --browser chrome --backend wasm --runs 6 -o web\ntests.models.small_cnn()",
        "bench = _\nbench.result.summary[0]['n']",
        "%tfjs_benchmark web --browser chrome --backend wasm --runs 6",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    path = tmp_path / "headless.ipynb"
    nbformat.write(notebook, path)
    command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "notebook", "--inplace", str(path)]
    subprocess.run(command, check=True, cwd=REPOSITORY, capture_output=True, env=_environment())
    executed = nbformat.read(path, 4).cells
    assert executed[2].outputs[0].data["text/plain"] == "6"
    for cell in (executed[1], executed[3]):
        assert "data:image/svg+xml" in cell.outputs[-1].data["text/html"]
        assert "passed" in cell.outputs[-1].data["text/html"]


def _run_in_a_thread(awaited: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine where no loop runs yet: Playwright may have one in the main thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, awaited).result()


def _environment() -> dict[str, str]:
    paths = (str(REPOSITORY), os.environ.get("PYTHONPATH", ""))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _shell(*words: object, wanted: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *map(str, words)], check=False, capture_output=True, text=True, cwd=REPOSITORY, timeout=300
    )
    assert done.returncode == wanted, done.stderr
    return done


def _runs(bench: Any) -> bool:
    return all(len(state["run_ms"]) > 5 for state in bench.state["jobs"])


def _kill(name: str, before: set[psutil.Process]) -> None:
    for process in _started_since(before):
        if process.name().startswith(name):
            process.kill()


def _once_it_runs(bench: Any, action: Any) -> Any:
    """Do something from a thread once every contender has numbers."""
    import threading

    @contextlib.contextmanager
    def watching() -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.1):
                if _runs(bench):
                    action()
                    return

        thread = threading.Thread(target=watch)
        thread.start()
        yield
        over.set()
        thread.join()

    return watching()
