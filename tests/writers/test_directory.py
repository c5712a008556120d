"""A directory appears whole or not at all, and nothing of others is lost."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.graph_text import parse_graph, tfjs_model
from tests.passes.operands import operands
from tfjs_magic.errors import SaveError
from tfjs_magic.model import TfjsModel, load
from tfjs_magic.writers import directory as module


def _model(size: int = 40) -> TfjsModel:
    """Make a model with several shards of 64 bytes."""
    return tfjs_model(parse_graph("x: float32[40]\ny = AddV2(x, w)\nreturn y", operands(w=(size,))))


def _content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def _names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_writes_model_json_and_shards(tmp_path: Path) -> None:
    model = _model()
    written = model.save(tmp_path / "web")
    assert written == tmp_path / "web"
    document = json.loads((written / "model.json").read_text())
    assert document == model.model_json
    (group,) = document["weightsManifest"]
    assert _names(written) == {"model.json", *group["paths"]}
    data = b"".join((written / name).read_bytes() for name in group["paths"])
    assert data == model.read_weights(0, 10**9)
    assert [(written / name).stat().st_size for name in group["paths"]] == [64, 64, 32]


def test_same_model_same_bytes(tmp_path: Path) -> None:
    assert _content(_model().save(tmp_path / "a")) == _content(_model().save(tmp_path / "b"))


def test_numbers_that_json_has_not_are_refused(tmp_path: Path) -> None:
    model = dataclasses.replace(_model(), header={"userDefinedMetadata": {"best": float("nan")}})
    with pytest.raises(SaveError, match="number that is infinite or none"):
        model.save(tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_others_may_read_it(tmp_path: Path) -> None:
    """Staging directories are private; what stays follows the umask."""
    before = os.umask(0o027)
    try:
        written = _model().save(tmp_path / "web")
    finally:
        os.umask(before)
    assert stat.S_IMODE(written.stat().st_mode) == 0o750


def test_makes_missing_parents(tmp_path: Path) -> None:
    assert (_model().save(tmp_path / "a" / "b" / "c") / "model.json").is_file()


def test_fills_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    _model().save(tmp_path / "web")
    assert _names(tmp_path) == {"web"}


def test_takes_relative_paths_and_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _model().save("here") == tmp_path / "here"
    assert _model().save("~/there") == tmp_path / "there"


def test_a_model_that_is_there_stays(tmp_path: Path) -> None:
    model = _model()
    model.save(tmp_path / "web")
    before = _content(tmp_path)
    with pytest.raises(SaveError, match=r"'.*/web' holds a model\.json. Choose another directory, or pass overwrite"):
        model.save(tmp_path / "web")
    assert _content(tmp_path) == before


def test_overwrites_a_model_whole(tmp_path: Path) -> None:
    _model(size=40).save(tmp_path / "web")
    smaller = _model(size=1)
    written = smaller.save(tmp_path / "web", overwrite=True)
    assert _names(written) == {"model.json", "group1-shard1of1.bin"}
    assert _names(tmp_path) == {"web"}


def test_the_shards_of_two_models_never_have_one_name(tmp_path: Path) -> None:
    """A page that still reads the old model.json must not get bytes of the new model."""
    written = _model(size=1).save(tmp_path / "web")
    for expected in ("group1-shard1of1_2.bin", "group1-shard1of1.bin"):
        _model(size=2).save(written, overwrite=True)
        (group,) = json.loads((written / "model.json").read_text())["weightsManifest"]
        assert group["paths"] == [expected]
        assert _names(written) == {"model.json", expected}
        assert load(written).nbytes == 8


@pytest.mark.parametrize("stranger", ["thesis.docx", "notes/todo.txt", "group9-shard1of1.bin", "group1-shard1of3.bin"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_never_touches_what_is_not_ours(tmp_path: Path, stranger: str, *, overwrite: bool) -> None:
    """People write beside the source, or into the folder of a site."""
    web = tmp_path / "static"
    if overwrite:
        _model(size=1).save(web)
    (web / stranger).parent.mkdir(exist_ok=True, parents=True)
    (web / stranger).write_text("precious")
    assert load(_model().save(web, overwrite=overwrite)).nbytes == 160
    assert (web / stranger).read_text() == "precious"
    assert len(_names(web)) == 1 + 1 + 3


def test_overwriting_removes_only_what_is_called_a_shard(tmp_path: Path) -> None:
    web = _model(size=1).save(tmp_path / "web")
    document = json.loads((web / "model.json").read_text())
    (tmp_path / "precious").write_text("precious")
    (web / "notes.txt").write_text("precious")
    (web / "group2-shard1of1.bin").mkdir()
    document["weightsManifest"][0]["paths"] += ["../precious", "notes.txt", "group2-shard1of1.bin"]
    (web / "model.json").write_text(json.dumps(document))
    _model().save(web, overwrite=True)
    assert (tmp_path / "precious").read_text() == (web / "notes.txt").read_text() == "precious"
    assert (web / "group2-shard1of1.bin").is_dir()
    assert not (web / "group1-shard1of1.bin").exists()


def test_removes_nothing_beside_a_saved_model(tmp_path: Path) -> None:
    web = _model(size=1).save(tmp_path / "web")
    (web / "saved_model.pb").write_text("precious")
    before = _content(web)
    _model().save(web, overwrite=True)
    assert before.keys() <= _content(web).keys()
    assert {name: data for name, data in _content(web).items() if name in before} == {
        **before,
        "model.json": (web / "model.json").read_bytes(),
    }


def test_the_mode_survives(tmp_path: Path) -> None:
    web = _model().save(tmp_path / "web")
    (web / "model.json").chmod(0o604)
    _model(size=1).save(web, overwrite=True)
    assert {stat.S_IMODE(path.stat().st_mode) for path in web.iterdir()} == {0o604}


@pytest.mark.parametrize("text", ["{", "[]", '{"weightsManifest": 3}', '{"weightsManifest": [{"paths": [[]]}]}'])
def test_never_overwrites_a_model_json_of_others(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(SaveError, match=r"model\.json' is no TF\.js model and would be lost"):
        _model().save(tmp_path, overwrite=True)
    assert (tmp_path / "model.json").read_text() == text


def test_writes_where_only_the_directory_itself_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty mount point, say. Root may write everywhere, so the answer of the system is replaced."""
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    _model().save(tmp_path / "web")
    monkeypatch.chdir(tmp_path / "web")
    _model(size=1).save(".", overwrite=True)
    assert _names(tmp_path / "web") == {"model.json", "group1-shard1of1.bin"}


def test_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "web").write_text("mine")
    with pytest.raises(SaveError, match=r"'.*/web' is a file; expected a directory"):
        _model().save(tmp_path / "web", overwrite=True)
    assert (tmp_path / "web").read_text() == "mine"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["pipe", "nested", "hole", "directory", "link"])
def test_what_is_no_model_json_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "web" / "model.json"
    path.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "nested":
        path.write_text("[" * 100_000)
    elif kind == "hole":
        with path.open("wb") as file:
            file.truncate(2**31)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    before = path.lstat()
    with pytest.raises(SaveError, match=r"is no TF\.js model and would be lost"):
        _model().save(tmp_path / "web", overwrite=True)
    assert path.lstat().st_ino == before.st_ino


def test_a_name_may_be_as_long_as_the_system_takes_it(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 127)
    _model().save(target)
    _model().save(target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="Linux has a file system in which nothing can be made")
def test_a_parent_that_cannot_be_made_is_said() -> None:
    with pytest.raises(SaveError, match="cannot be created"):
        _model().save("/proc/nothing/web")


@pytest.mark.parametrize(("name", "reason"), [("x" * 300, "too long"), ("a\0b", "null")])
def test_refuses_a_name_that_no_directory_can_have(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(SaveError, match=f"cannot be written: .*{reason}"):
        _model().save(tmp_path / name)


def test_refuses_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SaveError, match=r"'.*/file/web' cannot be"):
        _model().save(tmp_path / "file" / "web")


def test_follows_a_link_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert _model().save(tmp_path / "link") == tmp_path / "real"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "model.json").is_file()


def test_refuses_an_empty_path() -> None:
    """``pathlib`` takes it for the current directory."""
    with pytest.raises(SaveError, match=r"the path is empty; name the place, or '\.' for the current directory"):
        _model().save(" ")


def test_refuses_a_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    with pytest.raises(SaveError, match=r"'.*/link' is a link to nothing"):
        _model().save(tmp_path / "link")
    assert _names(tmp_path) == {"link"}


def test_refuses_a_parent_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere, so the answer of the system is replaced."""
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path)
    with pytest.raises(SaveError, match=f"'.*/web' cannot be written: no permission in '{tmp_path}'"):
        _model().save(tmp_path / "web")
    assert _names(tmp_path) == set()


def _fail_at(monkeypatch: pytest.MonkeyPatch, call: int, code: int) -> None:
    """Let the n-th rename fail."""
    real, calls = Path.replace, iter(range(99))

    def rename(self: Path, target: Any) -> Path:
        if next(calls) == call:
            raise OSError(code, os.strerror(code))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(Path, "replace", rename)


@pytest.mark.parametrize("call", [0, 1])
def test_a_failing_rename_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    _model().save(tmp_path / "web")
    before = _content(tmp_path)
    _fail_at(monkeypatch, call, errno.EIO)
    with pytest.raises(SaveError, match=r"was not written: Input/output error\. What was there before"):
        _model(size=1).save(tmp_path / "web", overwrite=True)
    assert _content(tmp_path) == before
    assert _names(tmp_path) == {"web"}


def test_a_failure_leaves_no_new_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_at(monkeypatch, 0, errno.EIO)
    with pytest.raises(SaveError, match="was not written"):
        _model().save(tmp_path / "a" / "b" / "web")
    assert _names(tmp_path) == set()


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write_files", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _model().save(tmp_path / "web")
    assert _names(tmp_path) == set()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    _model().save(small_disk / "web")
    before = _content(small_disk)
    with pytest.raises(
        SaveError, match=r"the disk is full, the model needs 0.2 MB. What was there before is unchanged"
    ):
        _model(size=50_000).save(small_disk / "web", overwrite=True)
    assert _content(small_disk) == before
    assert _names(small_disk) == {"web"}


def test_a_disk_that_fails_in_mid_write_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without root: writing fails as on a full disk."""

    def full(_: TfjsModel, directory: Path, __: object) -> None:
        (directory / "group1-shard1of9.bin").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "_write_files", full)
    with pytest.raises(SaveError, match="the disk is full"):
        _model().save(tmp_path / "web")
    assert _names(tmp_path) == set()


def test_numbers_are_what_numpy_holds(tmp_path: Path) -> None:
    weights = operands(w=(40,))
    written = tfjs_model(parse_graph("x: float32[40]\ny = AddV2(x, w)\nreturn y", weights)).save(tmp_path / "web")
    data = b"".join((written / f"group1-shard{i}of3.bin").read_bytes() for i in (1, 2, 3))
    assert np.array_equal(np.frombuffer(data, "<f4"), weights["w"])
