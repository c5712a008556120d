"""Keras files and SavedModels are written whole or not at all, and nothing else is lost for them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.writers.killed import _Keras as Exported
from tfjs_magic.errors import SaveError
from tfjs_magic.writers import staging
from tfjs_magic.writers.keras_files import KerasFormat, write_keras


class _Saved:
    def save(self, path: Path) -> None:
        path.write_text("new")


def _content(directory: Path) -> dict[str, str]:
    return {str(p.relative_to(directory)): p.read_text() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture(params=[True, False], ids=["exchange", "renames"])
def saved(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a SavedModel; let the system have a way to let directories change places, or none."""
    if not request.param:
        monkeypatch.setattr(staging, "_exchanged", lambda *_: False)
    return write_keras(Exported("old"), tmp_path / "saved", "keras_saved_model")


def test_a_saved_model_takes_the_place_of_one(saved: Path) -> None:
    saved.chmod(0o2775)
    with pytest.raises(SaveError, match=r"exists. Choose another path, or pass --overwrite"):
        write_keras(Exported("new"), saved, "keras_saved_model")
    write_keras(Exported("new"), saved, "keras_saved_model", overwrite=True)
    assert set(_content(saved).values()) == {"new"}
    assert stat.S_IMODE(saved.stat().st_mode) == 0o2775
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("name", ["notes.txt", "sub/notes.txt", "variables/notes.txt"])
def test_nothing_beside_a_saved_model_is_lost(saved: Path, name: str) -> None:
    (saved / name).parent.mkdir(exist_ok=True)
    (saved / name).write_text("precious")
    before = _content(saved)
    with pytest.raises(SaveError, match="beside a SavedModel, which would be lost"):
        write_keras(Exported("new"), saved, "keras_saved_model", overwrite=True)
    assert _content(saved) == before


@pytest.mark.parametrize("keras_format", ["keras", "keras_keras"])
def test_a_file_takes_no_directory_s_place(saved: Path, keras_format: KerasFormat) -> None:
    with pytest.raises(SaveError, match=r"is a directory, .* makes a file"):
        write_keras(_Saved(), saved, keras_format, overwrite=True)
    (saved.parent / "file").write_text("precious")
    with pytest.raises(SaveError, match=r"is a file, .* makes a directory"):
        write_keras(Exported("new"), saved.parent / "file", "keras_saved_model", overwrite=True)
    assert set(_content(saved).values()) == {"old"}


def test_an_empty_directory_is_filled_and_stays_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a shell, or one that a container mounts, has to."""
    monkeypatch.chdir(tmp_path)
    inode = tmp_path.stat().st_ino
    write_keras(Exported("new"), ".", "keras_saved_model")
    assert tmp_path.stat().st_ino == inode
    assert _content(Path.cwd()) == {"saved_model.pb": "new", "variables/variables.index": "new"}


def test_what_comes_in_between_stays(tmp_path: Path) -> None:
    class Disturbed(Exported):
        def export(self, path: str, *, verbose: bool) -> None:
            super().export(path, verbose=verbose)
            (tmp_path / "saved_model.pb").write_text("precious")

    with pytest.raises(SaveError, match="is there by now"):
        write_keras(Disturbed("new"), tmp_path, "keras_saved_model")
    assert _content(tmp_path) == {"saved_model.pb": "precious"}


def test_a_way_back_that_fails_is_told(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "_exchanged", lambda *_: False)
    real, calls = Path.rename, []

    def rename(path: Path, target: Any) -> Path:
        calls.append(path)
        if len(calls) > 1:
            raise OSError(5, os.strerror(5))
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(SaveError, match="What was there before is now ") as caught:
        write_keras(Exported("new"), saved, "keras_saved_model", overwrite=True)
    told = Path(str(caught.value).split("is now '")[1].rstrip("'."))
    assert set(_content(told).values()) == {"old"}


def test_a_failing_export_leaves_what_was_there(saved: Path) -> None:
    class Failing(Exported):
        def export(self, path: str, *, verbose: bool) -> None:
            super().export(path, verbose=verbose)
            raise RuntimeError("no\nway")

    with pytest.raises(SaveError, match=r"was not written: no way. What was there before is unchanged"):
        write_keras(Failing("new"), saved, "keras_saved_model", overwrite=True)
    assert set(_content(saved).values()) == {"old"}
    assert [path.name for path in saved.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("keras_format", ["keras", "keras_keras"])
def test_a_keras_file_takes_the_place_of_one(tmp_path: Path, keras_format: KerasFormat) -> None:
    target = tmp_path / "model.any"
    target.write_text("old")
    target.chmod(0o640)
    write_keras(_Saved(), target, keras_format, overwrite=True)
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
