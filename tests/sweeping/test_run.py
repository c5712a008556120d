"""Sweeps in this process, and on pools of real ones."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.e2e.lab import REPOSITORY
from tfjs_magic import OptionError, RunError, SaveError, TfjsModel, UnsupportedModelError, convert, sweep
from tfjs_magic.sweeping import task


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Any]:
    """One as a file, one in memory, and one that TF.js cannot hold as layers."""
    named = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()], name="conv")
    named.save(tmp_path / "conv.keras")
    image = keras.Input((8, 8, 1))
    own = keras.Model(image, keras.ops.flip(image, axis=1), name="flip")
    return {"conv": tmp_path / "conv.keras", "flip": own}


def test_each_source_with_each_set_is_a_row(models: dict[str, Any], threads: Executor) -> None:
    lines: list[str] = []
    table = sweep(models, {"format": ["layers", "graph"]}, executor=threads, progress=lines.append)
    assert table[["source", "format"]].values.tolist() == [
        ["conv", "layers"],
        ["conv", "graph"],
        ["flip", "layers"],
        ["flip", "graph"],
    ]
    assert table["status"].tolist() == ["verified", "verified", "refused", "verified"]
    assert table["wasm verdict"].tolist()[:2] == table["cpu verdict"].tolist()[:2] == ["passed"] * 2
    assert table["wasm error"][1] < 1e-5
    assert table["model_format"].tolist()[:2] == ["layers-model", "graph-model"]
    assert table["nbytes"][0] == 4 * (3 * 3 * 2 + 2)
    assert "layers model" in table["note"][2]
    assert len(lines) == 4
    assert lines[-1].startswith("4 of 4: ")
    assert ", about " in lines[0]


def test_without_node_nothing_is_compared(
    models: dict[str, Any], threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise RunError("there is no Node")

    monkeypatch.setattr(task, "find_node", missing)
    table = sweep(models, executor=threads, progress=None)
    assert table["status"].tolist() == ["converted"] * 2
    assert table["note"][0] == "Not compared: there is no Node."


def test_a_model_that_computes_something_else_is_wrong(
    models: dict[str, Any], threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def planted(source: object, **options: Any) -> TfjsModel:
        model = convert(source, **options)
        noise = np.frombuffer(model.groups[0].parts[0], np.float32) + 1
        groups = (
            dataclasses.replace(model.groups[0], parts=(memoryview(noise.tobytes()), *model.groups[0].parts[1:])),
        )
        return dataclasses.replace(model, groups=groups)

    monkeypatch.setattr(task, "convert", planted)
    table = sweep({"conv": models["conv"]}, executor=threads, progress=None)
    assert table["status"].tolist() == ["wrong"]
    assert table["wasm verdict"].tolist() == ["failed"]


def test_what_could_not_be_compared_is_not_verified(models: dict[str, Any], threads: Executor, tmp_path: Path) -> None:
    convert(models["conv"]).save(tmp_path / "web")  # nothing in Python beside it
    table = sweep(tmp_path / "web", executor=threads, progress=None)
    assert table["status"].tolist() == ["converted"]
    assert table["wasm verdict"].tolist() == ["no_reference"]


def test_what_could_not_be_fetched_is_tried_again(
    tmp_path: Path, threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(_: object, **__: object) -> TfjsModel:
        raise UnsupportedModelError("tensorflow_hub cannot fetch it")

    monkeypatch.setattr(task, "convert", offline)
    table = sweep("https://tfhub.dev/a/1", executor=threads, directory=tmp_path / "rows", progress=None)
    assert table["status"].tolist() == ["refused"]
    assert [*(tmp_path / "rows").iterdir()] == []


def test_a_row_keeps_no_password(models: dict[str, Any], threads: Executor, tmp_path: Path) -> None:
    with socket.create_server(("localhost", 0)) as probe:
        address = f"localhost:{probe.getsockname()[1]}"
    browser = f"http://me:secret@{address}"
    table = sweep(models["conv"], executor=threads, browser=browser, directory=tmp_path / "rows", progress=None)
    assert table["status"].tolist() == ["failed"]
    assert table["browser"].tolist() == [f"http://{address}"]
    assert "secret" not in table.to_json()


def test_a_failing_row_stops_no_other(tmp_path: Path, models: dict[str, Any], threads: Executor) -> None:
    (tmp_path / "broken.keras").write_bytes(b"no archive")
    sources = {"absent": tmp_path / "absent.keras", "broken": tmp_path / "broken.keras", **models}
    table = sweep(sources, executor=threads, progress=None)
    assert table["status"].tolist() == ["refused", "refused", "verified", "verified"]
    assert "does not exist" in table["note"][0]


def test_finished_rows_are_not_computed_again(
    tmp_path: Path, models: dict[str, Any], threads: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    first = sweep(models, executor=threads, directory=tmp_path / "rows", progress=None)
    monkeypatch.setattr(task, "convert", lambda *_, **__: pytest.fail("it is converted again"))
    again = sweep(models, executor=threads, directory=tmp_path / "rows", progress=lines.append)
    assert again.equals(first)
    assert lines == ["2 of 2 rows are there from before."]


def test_what_changed_or_cannot_be_read_is_computed_again(
    tmp_path: Path, models: dict[str, Any], threads: Executor
) -> None:
    rows = tmp_path / "rows"
    sweep(models, executor=threads, directory=rows, progress=None)
    models["flip"].save(models["conv"])  # another model under the same name
    (flipped,) = rows.glob("flip-*.json")
    for broken in ("{", json.dumps({**json.loads(flipped.read_text()), "row": {}})):
        flipped.write_text(broken)
        lines: list[str] = []
        sweep({**models}, executor=threads, directory=rows, progress=lines.append)
        assert lines[-1].startswith("2 of 2: ")
        assert len([line for line in lines if "flip" in line]) == 1
    for file in rows.iterdir():
        assert json.loads(file.read_text())["format"] == "tfjs-magic sweep row"


def test_rows_that_are_done_stay_when_it_is_interrupted(
    tmp_path: Path, models: dict[str, Any], threads: Executor
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(models, executor=threads, directory=tmp_path / "rows", progress=interrupt)
    assert len([*(tmp_path / "rows").glob("*.json")]) == 1


def test_mistakes_are_found_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="backend 'gpu' does not exist"):
        sweep("model.keras", backends="gpu")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="workers is 0"):
        sweep("model.keras", workers=0)
    with pytest.raises(OptionError, match="models is empty"):
        sweep([])
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="is no directory for the rows"):
        sweep("model.keras", directory=tmp_path / "file")


@pytest.mark.slow
def test_processes_of_their_own(models: dict[str, Any]) -> None:
    local = {"lambda": lambda x: x}
    table = sweep({**models, **local}, workers=2, progress=None)
    assert table["status"].tolist() == ["verified", "verified", "failed"]
    assert "A worker gets the source pickled: save it and give its path" in table["note"][2]


_ON_DASK = """
import sys
from distributed import Client, LocalCluster
from tfjs_magic import sweep

if __name__ == "__main__":
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        table = sweep(sys.argv[1], {"quantize": [None, "uint8"]}, executor=client.get_executor(), progress=None)
    print(table["status"].tolist())
"""


@pytest.mark.slow
def test_dask(tmp_path: Path, models: dict[str, Any]) -> None:
    script = tmp_path / "on_dask.py"
    script.write_text(_ON_DASK)
    command = [sys.executable, script, models["conv"]]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "['verified', 'verified']\n", done.stderr


@pytest.mark.slow
def test_ipyparallel(models: dict[str, Any]) -> None:
    ipyparallel = pytest.importorskip("ipyparallel")
    with ipyparallel.Cluster(n=2) as cluster:
        executor = cluster.executor()
        table = sweep(models, {"quantize": [None, "uint8"]}, executor=executor, progress=None)
    assert table["status"].tolist() == ["verified"] * 4


def test_weights_of_a_row_come_from_its_own_options(models: dict[str, Any], threads: Executor) -> None:
    samples = {"float32": None, "uint8": "uint8"}
    table = sweep({"conv": models["conv"]}, {"quantize": [*samples.values()]}, executor=threads, progress=None)
    assert np.all(np.diff(table["nbytes"]) < 0)
