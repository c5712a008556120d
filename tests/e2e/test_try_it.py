"""A reader tries a picture of his own, in the saved page and in the widget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

import tfjs_magic
from tests import models
from tests.e2e.conftest import PICTURES, Open
from tests.e2e.lab import REPOSITORY, Notebook
from tests.e2e.test_page import AXE
from tests.e2e.widget import Widget

TFJS = REPOSITORY / "js" / "node_modules" / "@tensorflow" / "tfjs" / "dist" / "tf.min.js"
NAMES = ["tabby cat", "<b>dog</b>", "bird", "fish"]
_HEIGHT, _WIDTH = 6, 8

#: What TF.js makes of the picture once the browser has drawn it into the input's size.
_REFERENCE = """async ([url, height, width, pixels]) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = Object.assign(document.createElement('canvas'), {height, width});
  canvas.getContext('2d').drawImage(image, 0, 0, width, height);
  const bytes = tf.browser.fromPixels(canvas, 3).toFloat();
  const values = {'0..1': bytes.div(255), '-1..1': bytes.div(127.5).sub(1), '0..255': bytes}[pixels];
  return [...values.dataSync()];
}"""


def _photo() -> FilePayload:
    """A picture of other proportions than the input, in which every place differs."""
    import tensorflow as tf

    rows, columns = np.mgrid[0:60, 0:100]
    pixels = np.stack([columns * 2.5, rows * 4.25, (columns * 7 + rows * 3) % 256], -1).astype(np.uint8)
    return {"name": "photo.png", "mimeType": "image/png", "buffer": tf.io.encode_png(pixels).numpy()}


def _reads_pixels() -> Any:
    """A model whose outputs are its input, number by number."""
    import keras

    image = keras.Input((_HEIGHT, _WIDTH, 3), name="image")
    return keras.Model(image, keras.layers.Flatten(name="pixels")(image))


def _names_four() -> Any:
    import keras

    image = keras.Input((12, 12, 3), name="image")
    hidden = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, activation="relu")(image))
    return models.randomised(keras.Model(image, keras.layers.Dense(4, activation="softmax", name="animal")(hidden)))


def _choose(scope: Locator, file: FilePayload) -> None:
    scope.get_by_label("Choose a picture").set_input_files(file)


def _shown(scope: Locator) -> list[tuple[str, str]]:
    rows = scope.locator("table.tm-top tr")
    expect(rows.first).to_be_visible(timeout=60_000)
    found: list[tuple[str, str]] = rows.evaluate_all(
        "rows => rows.map(row => [row.querySelector('th').innerText, row.querySelector('td:last-child').innerText])"
    )
    return found


@pytest.mark.parametrize("pixels", ["0..1", "-1..1", "0..255"])
def test_the_model_gets_what_tfjs_reads_from_the_canvas(
    tmp_path: Path,
    open_page: Open,
    browser: Browser,
    pixels: str,
) -> None:
    web = tfjs_magic.convert(_reads_pixels())
    path = web.save_page(tmp_path / "one.html", single_file=True, backends="cpu", runs=3, pixels=pixels)
    page = open_page(path.as_uri(), offline=True)
    Widget(page.locator("main")).wait_for("finished")
    photo = _photo()
    _choose(page.locator("main"), photo)
    shown = _shown(page.locator("main"))
    values = np.array(_reference(browser, photo, pixels))
    order = np.argsort(-values, kind="stable")[:5]
    assert [int(name) for name, _ in shown] == [*order]
    assert np.allclose([float(value) for _, value in shown], values[order], rtol=1e-3)


def _reference(browser: Browser, photo: FilePayload, pixels: str) -> list[float]:
    import base64

    page = browser.new_page()
    page.add_script_tag(path=str(TFJS))
    url = f"data:image/png;base64,{base64.b64encode(photo['buffer']).decode()}"
    values: list[float] = page.evaluate(_REFERENCE, [url, _HEIGHT, _WIDTH, pixels])
    page.close()
    return values


def _drop(page: Page, file: FilePayload) -> None:
    page.evaluate(
        """([name, type, bytes]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, {type}));
          for (const kind of ['dragenter', 'dragover', 'drop'])
            document.querySelector('.tm-try').dispatchEvent(
              new DragEvent(kind, {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        [file["name"], file["mimeType"], [*file["buffer"]]],
    )


def test_a_dropped_picture_is_named_and_a_wrong_file_refused(tmp_path: Path, open_page: Open) -> None:
    web = tfjs_magic.convert(_names_four())
    path = web.save_page(tmp_path / "a.html", single_file=True, backends="wasm", runs=3, class_names=NAMES)
    page = open_page(path.as_uri(), viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    main = page.locator("main")
    Widget(main).wait_for("finished")
    _drop(page, {"name": "<i>notes</i>.txt", "mimeType": "text/plain", "buffer": b"text"})
    expect(main.locator(".tm-try .tm-error")).to_have_text("'<i>notes</i>.txt' is no picture that this browser reads.")
    _drop(page, _photo())
    shown = _shown(main)
    assert {name for name, _ in shown} == {*NAMES}
    assert sum(float(value.removesuffix(" %")) for _, value in shown) == pytest.approx(100, abs=0.3)
    assert main.locator(".tm-try .tm-error").count() == 0
    before = shown
    main.get_by_label("Pixels").select_option("0..255")
    expect(main.locator("table.tm-top")).not_to_have_text(before[0][0] + before[0][1])
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=PICTURES / f"try-{scheme}-360.png", full_page=True)
        found = page.evaluate(f"{AXE.read_text()}; axe.run(document).then(({{violations}}) => violations)")
        assert [one["id"] for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Run again").click()
    Widget(main).wait_for("finished")
    _drop(page, _photo())
    assert {name for name, _ in _shown(main)} == {*NAMES}


def test_the_widget_offers_it_too(notebook: Notebook) -> None:
    setup = "import tests.e2e.test_try_it as t\nweb = tfjs_magic.convert(t._names_four())\n"
    notebook.set_cells([f"{setup}tfjs_magic.benchmark(web, backends='wasm', runs=3, class_names=t.NAMES)"])
    notebook.run(0)
    Widget(notebook.cell(0)).wait_for("finished")
    _choose(notebook.cell(0), _photo())
    assert {name for name, _ in _shown(notebook.cell(0))} == {*NAMES}
    notebook.cell(0).locator(".tm-try").screenshot(path=PICTURES / "try-widget.png")


def test_a_model_without_a_picture_does_not_offer_it(tmp_path: Path, open_page: Open) -> None:
    web = tfjs_magic.convert(models.dense())
    page = open_page(web.save_page(tmp_path / "a.html", single_file=True, backends="cpu", runs=3).as_uri())
    Widget(page.locator("main")).wait_for("finished")
    assert page.locator(".tm-try").count() == 0
