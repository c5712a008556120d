"""What a path is, told without reading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfjs_magic.sources.paths import kind_of, saved_model_in


@pytest.mark.parametrize(
    ("files", "path", "kind"),
    [
        pytest.param(["m.keras"], "m.keras", "Keras file", id="keras"),
        pytest.param(["m.hdf5"], "m.hdf5", "Keras file", id="hdf5"),
        pytest.param(["m.pb"], "m.pb", "frozen graph", id="pb"),
        pytest.param(["m.tar.gz"], "m.tar.gz", "TF Hub module", id="archive"),
        pytest.param(["web/model.json"], "web/model.json", "TensorFlow.js model", id="json"),
        pytest.param(["web/model.json"], "web", "TensorFlow.js model", id="its-directory"),
        pytest.param(["sm/saved_model.pb"], "sm", "SavedModel", id="saved-model"),
        pytest.param(["sm/saved_model.pbtxt"], "sm", "SavedModel", id="as-text"),
        pytest.param(["sm/3/saved_model.pb"], "sm", "SavedModel", id="versions"),
        pytest.param(["sm/x/saved_model.pb"], "sm", None, id="no-version"),
        pytest.param(["sm/1/saved_model.pb", "sm/²/note"], "sm", "SavedModel", id="a-digit-that-is-no-number"),
        pytest.param(["m.txt"], "m.txt", None, id="other"),
        pytest.param([], "absent.keras", None, id="absent"),
        pytest.param([], "absent.tar.gz", None, id="absent-archive"),
    ],
)
def test_kind(tmp_path: Path, files: list[str], path: str, kind: str | None) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert kind_of(tmp_path / path) == kind


@pytest.mark.parametrize(
    ("handle", "kind"),
    [
        ("https://tfhub.dev/google/x/1", "TF Hub module"),
        ("http://localhost:8000/x", "TF Hub module"),
        ("http://elsewhere/x", None),
        ("gs://bucket/x", None),
    ],
)
def test_handles(handle: str, kind: str | None) -> None:
    assert kind_of(handle) == kind


def test_the_newest_version_counts_as_a_number(tmp_path: Path) -> None:
    for version in ("9", "10", "11"):
        (tmp_path / version).mkdir()
    (tmp_path / "9" / "saved_model.pb").touch()
    (tmp_path / "10" / "saved_model.pb").touch()
    assert saved_model_in(tmp_path) == tmp_path / "10"
