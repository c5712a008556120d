"""A saved page runs where there is no Python: from a server of files, and from the disk."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

import tfjs_magic
from tests import models
from tests.e2e.conftest import PICTURES, Open
from tests.e2e.lab import REPOSITORY
from tests.e2e.widget import Widget
from tfjs_magic import BenchmarkResult
from tfjs_magic.model import TfjsModel

HOSTILE = "</script><img src=x onerror=alert(1)>\u202e\"'&<!--"
AXE = REPOSITORY / "js" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def web() -> TfjsModel:
    return tfjs_magic.convert(models.small_cnn())


def _finished(page: Page) -> Widget:
    return Widget(page.locator("main")).wait_for("finished")


def _result(page: Page) -> BenchmarkResult:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as JSON").click()
    return BenchmarkResult.from_json(Path(download.value.path()).read_text())


def _with_a_wrong_weight(web: TfjsModel) -> TfjsModel:
    """Return the model with one number changed, and the Python that it was before."""
    (group,) = web.groups
    parts = [bytearray(part) for part in group.parts]
    numbers = np.frombuffer(parts[0], np.float32)
    numbers[np.argmax(np.abs(numbers))] *= -3
    return dataclasses.replace(web, groups=(dataclasses.replace(group, parts=tuple(map(memoryview, parts))),))


def test_a_served_directory_gives_the_verdict_and_a_result(
    web: TfjsModel, tmp_path: Path, served: str, open_page: Open
) -> None:
    web.save_page(tmp_path / "page", backends=["wasm", "cpu"], runs=12)
    page = open_page(f"{served}/page/")
    widget = _finished(page)
    assert [re.sub(r"\(.*", "", row["Against Python"]).strip() for row in widget.rows] == ["✓ passed", "✓ passed"]
    result = _result(page)
    assert [(row["model"], row["backend"], row["n"], row["parity"]) for row in result.summary] == [
        ("small_cnn", "wasm", 12, "passed"),
        ("small_cnn", "cpu", 12, "passed"),
    ]
    assert result.environment is not None
    assert result.environment["worker"]
    assert all(parity and parity["outputs"][0]["tolerance"] == 1e-4 for parity in result.parity.values())
    assert BenchmarkResult.from_json(result.to_json()) == result
    for kind in ("PNG", "SVG", "CSV"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {kind}").click()
        assert download.value.suggested_filename == f"small_cnn.{kind.lower()}"


def test_many_shards_arrive_though_nothing_may_be_kept(tmp_path: Path, served: str, open_page: Open) -> None:
    web = tfjs_magic.convert(models.small_cnn(), weight_shard_size_bytes=100)
    page = web.save_page(tmp_path / "page", backends="wasm", runs=3)
    assert len([*(page / "model").glob("*.bin")]) > 10
    assert "passed" in _finished(open_page(f"{served}/page/")).row["Against Python"]


def test_one_file_runs_from_the_disk_without_a_network(web: TfjsModel, tmp_path: Path, open_page: Open) -> None:
    path = web.save_page(tmp_path / "one.html", single_file=True, backends="wasm", runs=6)
    page = open_page(path.as_uri(), offline=True)
    assert "passed" in _finished(page).row["Against Python"]
    assert _result(page).summary[0]["parity"] == "passed"


@pytest.mark.parametrize("single_file", [False, True])
def test_a_wrong_model_is_shown_as_wrong(
    web: TfjsModel, tmp_path: Path, served: str, open_page: Open, *, single_file: bool
) -> None:
    wrong = _with_a_wrong_weight(web)
    wrong.save_page(tmp_path / "page.html", single_file=single_file, backends="wasm", runs=3)
    page = open_page(f"{served}/page.html")
    assert "✗ failed" in _finished(page).row["Against Python"]
    assert page.get_by_role("button", name="Find the layer").count() == 0
    (parity,) = _result(page).parity.values()
    assert parity is not None
    assert parity["status"] == "failed"


def test_a_gpu_in_software_is_labelled(
    web: TfjsModel, tmp_path: Path, served: str, open_page: Open, gpu_browser: Browser
) -> None:
    web.save_page(tmp_path / "page", backends=["webgl"], runs=3)
    widget = _finished(open_page(f"{served}/page/", on=gpu_browser))
    assert "SOFTWARE GPU" in widget.row["job"]
    assert "passed" in widget.row["Against Python"]


def test_a_profile_names_the_layers_of_a_graph(tmp_path: Path, open_page: Open) -> None:
    model = models.small_cnn()
    web = tfjs_magic.convert(model, format="graph")
    path = web.save_page(tmp_path / "one.html", single_file=True, backends="wasm", runs=3)
    page = open_page(path.as_uri())
    _finished(page)
    page.get_by_role("button", name=re.compile("^Profile")).click()
    table = page.get_by_role("table", name="Time per kernel: wasm")
    expect(table).to_be_visible(timeout=60_000)
    (profile,) = _result(page).profiles
    assert profile.model == "small_cnn"
    assert {layer.name for layer in model.layers} & {*table.locator("td.tm-left").all_inner_texts()}


def test_twenty_megabytes_in_one_file(tmp_path: Path, open_page: Open) -> None:
    import keras

    inputs = keras.Input((1000,))
    outputs = keras.layers.Dense(2500, name="a")(inputs)
    web = tfjs_magic.convert(models.randomised(keras.Model(inputs, keras.layers.Dense(1000, name="b")(outputs))))
    assert web.nbytes > 20_000_000
    path = web.save_page(tmp_path / "large.html", single_file=True, backends="wasm", runs=6)
    page = open_page(path.as_uri(), offline=True)
    assert "passed" in _finished(page).row["Against Python"]
    page.get_by_role("button", name="Run again").click()
    page.wait_for_selector("section[data-status=running]")
    assert "passed" in _finished(page).row["Against Python"]


def test_hostile_names_stay_text(web: TfjsModel, tmp_path: Path, served: str, open_page: Open) -> None:
    report = dataclasses.replace(web.report, source=f"Keras model '{HOSTILE.replace(chr(39), '')}'")
    hostile = dataclasses.replace(web, report=report)
    hostile.save_page(tmp_path / "page", backends="wasm", runs=3)
    hostile.save_page(tmp_path / "one.html", single_file=True, backends="wasm", runs=3)
    for address in (f"{served}/page/", (tmp_path / "one.html").as_uri()):
        page = open_page(address)
        _finished(page)
        assert page.locator("main img").count() == 0
        assert "<img src=x onerror=alert(1)>" in page.locator("h1").inner_text()
        assert _result(page).summary[0]["model"] == hostile.report.name


def test_a_model_without_python_says_so(web: TfjsModel, tmp_path: Path, served: str, open_page: Open) -> None:
    tfjs_magic.load(web.save(tmp_path / "saved")).save_page(tmp_path / "page", backends="wasm", runs=3)
    assert "no reference" in _finished(open_page(f"{served}/page/")).row["Against Python"]


def test_a_directory_that_is_opened_from_the_disk_says_what_to_do(
    web: TfjsModel, tmp_path: Path, browser: Browser
) -> None:
    target = web.save_page(tmp_path / "page", backends="wasm", runs=3)
    page = browser.new_page()
    page.goto((target / "index.html").as_uri())
    expect(page.get_by_role("alert")).to_contain_text("Serve the directory")
    page.close()


@pytest.mark.parametrize(("damage", "says"), [("cut", "the page was made with"), ("gone", "the server answers 404")])
def test_a_damaged_copy_is_named(
    web: TfjsModel, tmp_path: Path, served: str, browser: Browser, *, damage: str, says: str
) -> None:
    shard = next((web.save_page(tmp_path / "page", backends="wasm", runs=3) / "model").glob("*.bin"))
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(shard.read_bytes()[:-4])
    page = browser.new_page()
    page.goto(f"{served}/page/")
    _finished(page)
    expect(page.locator(".tm-error")).to_contain_text(says)
    expect(page.locator(".tm-error")).to_contain_text(shard.name)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_it_reads_on_a_phone_and_a_desk(
    web: TfjsModel, tmp_path: Path, open_page: Open, scheme: str, width: int
) -> None:
    path = web.save_page(tmp_path / "one.html", single_file=True, backends=["wasm", "cpu"], runs=30)
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if width == 360 else {}
    page = open_page(path.as_uri(), color_scheme=scheme, viewport={"width": width, "height": 740}, **phone)
    _finished(page).wait_until_drawn()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"page-{scheme}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = page.evaluate(f"{AXE.read_text()}; axe.run(document).then(({{violations}}) => violations)")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], json.dumps(found)[:2000]
