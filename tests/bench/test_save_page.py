"""A saved page is whole or not there, replaces nothing but a page, and holds what it compares with."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bench.tiny import tiny_model
from tfjs_magic import OptionError, SaveError
from tfjs_magic.artifacts import TensorInfo
from tfjs_magic.bench.contender import contenders_of
from tfjs_magic.bench.pictures import picture_input
from tfjs_magic.bench.static_page import page_data, script_json
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions
from tfjs_magic.writers import page as writer

HOSTILE = "</script><!--<script>alert(1)\u2028&\"'"


class _Scripts(HTMLParser):
    """Collects script elements as a browser cuts them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag == "script"
        if self._open:
            self.found.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._open:
            attributes, text = self.found[-1]
            self.found[-1] = (attributes, text + data)


def test_a_directory_holds_the_model_as_save_writes_it(tmp_path: Path) -> None:
    model = tiny_model()
    page = model.save_page(tmp_path / "deep" / "page", runs=3)
    model.save(tmp_path / "saved")
    for path in (tmp_path / "saved").iterdir():
        assert (page / "model" / path.name).read_bytes() == path.read_bytes()
    (_, data), (script, _) = _Scripts((page / "index.html").read_text()).found
    assert script == {"src": "solo.js"}
    told = json.loads(data)
    assert (told["label"], told["runs"], told["reference"]["tensors"]) == ("tiny", 3, [["y", "y"]])
    for file in (*told["assets"].values(), told["samples"], told["model"], *told["shards"]):
        assert (page / file["path"]).is_file()
        assert file["encoding"] == "identity"


def test_one_file_holds_every_byte(tmp_path: Path) -> None:
    path = tiny_model().save_page(tmp_path / "a.html", single_file=True)
    text = path.read_text()
    scripts = _Scripts(text).found
    blocks = {attributes["data-file"]: body for attributes, body in scripts if "data-file" in attributes}
    told = json.loads(next(body for attributes, body in scripts if attributes.get("id") == "tfjs-magic-data"))
    for file in (*told["assets"].values(), told["samples"], told["model"], *told["shards"]):
        base64.b64decode(blocks[file["path"]], validate=True)
    (run,) = [body for attributes, body in scripts if not attributes]
    digest = base64.b64encode(hashlib.sha256(run.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' blob: 'wasm-unsafe-eval'" in text
    assert "'self'" not in re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0]
    assert not re.search(r'(src|href)="(?!data:,)', text)


@pytest.mark.parametrize("single_file", [False, True])
def test_names_begin_no_element(tmp_path: Path, *, single_file: bool) -> None:
    model = tiny_model(name=f"'{HOSTILE.replace(chr(39), '')}'")
    path = model.save_page(tmp_path / "page", single_file=single_file, class_names=[HOSTILE])
    text = (path if single_file else path / "index.html").read_text()
    scripts = _Scripts(text).found
    told = json.loads(next(body for attributes, body in scripts if attributes.get("id") == "tfjs-magic-data"))
    assert told["label"] == model.report.name
    assert len([one for one in scripts if not one[0] or "src" in one[0]]) == 1
    shown = r"<script[^>]*>.*?</script>|<title>.*?</title>|<h1>.*?</h1>"
    assert "alert(1)" not in re.sub(shown, "", text, flags=re.DOTALL)


def test_script_json_says_the_same() -> None:
    text = script_json({"name": HOSTILE})
    assert not {*"<>&"} & {*text}
    assert json.loads(text) == {"name": HOSTILE}


def test_what_is_there_is_refused_or_replaced(tmp_path: Path) -> None:
    model = tiny_model()
    page = tmp_path / "page"
    page.mkdir()
    model.save_page(page)  # it is empty
    with pytest.raises(SaveError, match=r"exists\. Choose another path, or pass overwrite=True"):
        model.save_page(page)
    before = (page / "index.html").stat().st_ino
    model.save_page(page, overwrite=True)
    assert (page / "index.html").stat().st_ino != before
    (page / "notes.txt").write_text("mine")
    with pytest.raises(SaveError, match=r"holds 'notes.txt' beside the page"):
        model.save_page(page, overwrite=True)
    assert (page / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "single_file", "says"),
    [
        ("file", False, "is a file; expected a directory"),
        ("folder", True, "is a directory; expected a file"),
        ("file", True, "is no page of tfjs_magic and would be lost"),
        ("folder", False, "is no page of tfjs_magic and would be lost"),
    ],
)
def test_other_things_are_never_replaced(tmp_path: Path, *, name: str, single_file: bool, says: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("mine")
    with pytest.raises(SaveError, match=says):
        tiny_model().save_page(tmp_path / name, single_file=single_file, overwrite=True)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "index.html").read_text() == "mine"


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_directory", fail)
    with pytest.raises(SaveError, match="the disk is full"):
        tiny_model().save_page(tmp_path / "page")
    assert [*tmp_path.iterdir()] == []


def test_no_browser_is_opened_for_a_page(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="browser is for benchmark"):
        tiny_model().save_page(tmp_path / "page", browser="chrome")


def test_one_file_has_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MOST_IN_ONE_FILE", 59)
    with pytest.raises(OptionError, match="MB of weights at most"):
        tiny_model().save_page(tmp_path / "a.html", single_file=True)


def _stored(array: Any) -> tuple[dict[str, Any], bytes]:
    outputs = [TensorInfo("y", "float32", None)]
    model = dataclasses.replace(tiny_model(call=lambda _: {"y": np.asarray(array)}), outputs=outputs)
    data, samples = page_data(model, BenchmarkOptions())
    row = data["reference"]["expected"][0][0]
    return row, samples[row["offset"] : row["offset"] + row["nbytes"]]


@pytest.mark.parametrize(
    ("array", "bits", "dtype"),
    [
        (np.array([1.5, np.nan, np.inf], np.float32), 32, np.float32),
        (np.array([1.5], np.float16), 32, np.float32),
        (np.array([0.1], np.float64), 64, np.float64),
        (np.array([1e300], np.float64), 64, np.float64),
        (np.array([7, -1], np.int64), 32, np.float32),
        (np.array([2**30 + 1], np.int32), 64, np.float64),
        (np.array([True, False]), 32, np.float32),
        (np.array([1 + 2j], np.complex64), 32, np.complex64),
    ],
)
def test_python_s_outputs_travel_exactly(array: Any, bits: int, dtype: Any) -> None:
    row, content = _stored(array)
    assert (row["bits"], row["dtype"], row["kind"]) == (bits, str(array.dtype), array.dtype.kind)
    assert np.array_equal(np.frombuffer(content, dtype), array, equal_nan=True)


def test_texts_travel_as_texts() -> None:
    row, content = _stored(np.array(["a", b"b\xc3\xbc"], object))
    assert (row["values"], row["nbytes"], content) == (["a", "bü"], 0, b"")


def test_why_nothing_is_compared_travels() -> None:
    data, _ = page_data(tiny_model(changed=True), BenchmarkOptions())
    assert data["reference"] is None
    assert data["not_compared"]["status"] == "source_changed"


def _taking(*inputs: TensorInfo, outputs: int = 3) -> TfjsModel:
    return dataclasses.replace(
        tiny_model(call=None), inputs=inputs, outputs=[TensorInfo("y", "float32", (None, outputs))]
    )


def _picture(*inputs: TensorInfo, **options: Any) -> dict[str, Any] | None:
    options_ = BenchmarkOptions(**options)
    (contender,) = contenders_of({"m": _taking(*inputs)}, options_)
    return picture_input(contender, options_)


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("float32", (None, 8, 9, 3), [1, 8, 9, 3]),
        ("int32", (1, 8, 9, 1), [1, 8, 9, 1]),
        ("float32", (None, None, None, 4), [1, 64, 64, 4]),
    ],
)
def test_a_picture_is_an_input_of_an_image_s_shape(dtype: Any, shape: Any, size: list[int]) -> None:
    found = _picture(TensorInfo("image", dtype, shape), pixels="-1..1", class_names=["a", "b", "c"])
    size_and_name = {"input": "image", "dtype": dtype, "shape": size}
    assert found == {**size_and_name, "pixels": "-1..1", "class_names": ["a", "b", "c"]}


@pytest.mark.parametrize(
    "inputs",
    [
        [TensorInfo("x", "float32", (None, 8, 9))],
        [TensorInfo("x", "float32", (None, 8, 9, 2))],
        [TensorInfo("x", "float32", (4, 8, 9, 3))],
        [TensorInfo("x", "bool", (None, 8, 9, 3))],
        [TensorInfo("x", "float32", (None, 8, 9, 3)), TensorInfo("z", "float32", (None, 1))],
    ],
)
def test_nothing_else_is_a_picture(inputs: list[TensorInfo]) -> None:
    assert _picture(*inputs) is None


def test_names_must_fit_an_output() -> None:
    with pytest.raises(OptionError, match=r"class_names holds 2 names; of the outputs, 'y' has 3\."):
        _picture(TensorInfo("image", "float32", (None, 8, 8, 3)), class_names=["a", "b"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"class_names": "cat"}, "class_names is 'cat'; expected a list"),
        ({"class_names": 3}, "class_names is 3; expected a list"),
        ({"pixels": "0..2"}, "pixels is '0..2'; expected one of"),
    ],
)
def test_options_of_pictures_are_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=re.escape(says)):
        BenchmarkOptions(**options)
