"""Where does it differ? A model with one wrong constant names the layer: in the widget, and in Python."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.e2e.conftest import PICTURES
from tests.e2e.lab import THEMES, Notebook
from tests.e2e.test_look import assert_fits, assert_readable
from tests.e2e.widget import Widget

_MODELS = """from tests.inner_outputs import spoiled
models = {form: spoiled(tfjs_magic.convert(tests.models.branched(), format=form), 'left/kernel')
          for form in ('graph', 'layers')}
bench = tfjs_magic.benchmark(models, backends=['wasm', 'cpu'], runs=6)
bench"""
_ASK = """result = await bench
asked = [('wasm', 'graph'), ('cpu', 'graph'), ('wasm', 'layers')]
found = [await result.divergence(backend, model) for backend, model in asked]
found[0]"""


def test_a_wrong_constant_names_its_layer(notebook: Notebook) -> None:
    """On wasm and cpu, of a graph and of layers; three times asked by Python, once by the button."""
    notebook.set_cells([_MODELS, _ASK])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    notebook.run(1)
    searches = widget.root.locator(".tm-layer-search")
    expect(searches).to_have_count(3)
    rows: list[Any] = notebook.python("[[one.model, one.backend, one.first, one.bound] for one in found]")
    wrong = "left (before tanh)"
    assert rows == [["graph", "wasm", wrong, 1e-4], ["graph", "cpu", wrong, 1e-4], ["layers", "wasm", wrong, 1e-4]]
    assert notebook.python("[row['note'] for row in found[0].rows if row['layer'] == 'norm']") == ["inside 'relu'"]
    assert notebook.python("found[0].to_dataframe().shape") == [13, 8]
    assert f"'{wrong}' (Dense) is the first layer beyond the bound" in notebook.text(1)
    widget.ask("Find the layer", "layers, cpu")
    last = searches.nth(3)
    expect(last).to_contain_text(f"'{wrong}' (Dense) is the first layer beyond the bound", timeout=60_000)
    expect(widget.root.locator(".tm-layer-plot svg")).to_have_count(4)
    assert notebook.python("bench.snapshot['jobs'][3]['divergence']['first']") == wrong
    last.locator("summary").click()
    expect(last.locator("tbody tr")).to_have_count(13)
    take_pictures(notebook, widget)


def take_pictures(notebook: Notebook, widget: Widget) -> None:
    """Keep how it looks, and assert that it reads and fits."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = notebook.page
    try:
        for theme in THEMES:
            notebook.use_theme(theme)
            for width in (1280, 420):
                notebook.show_sidebar(shown=width > 1000)
                page.set_viewport_size({"width": width, "height": 1000})
                widget.wait_until_drawn()
                last = widget.root.locator(".tm-layer-search").nth(3)
                last.scroll_into_view_if_needed()
                last.screenshot(path=PICTURES / f"layers-{theme.split()[1].lower()}-{width}.png")
                assert_readable(widget)
                assert_fits(widget)
    finally:
        page.set_viewport_size({"width": 1280, "height": 1000})
        notebook.use_theme("JupyterLab Light")
        notebook.show_sidebar(shown=True)


def test_the_logits_behind_a_flat_softmax_are_compared(notebook: Notebook) -> None:
    """MobileNetV2 before training gives a thousandth everywhere."""
    model = "keras.applications.MobileNetV2(weights=None, input_shape=(64, 64, 3))"
    notebook.set_cells([f"%%tfjs_convert --runs 6 --backend wasm\n{model}"])
    notebook.run(0)
    widget = Widget(notebook.cell(0)).wait_for("finished")
    assert widget.row["Against Python"].startswith("✓ passed")
    widget.root.locator(".tm-parity").click()
    expect(widget.root.locator(".tm-detail")).to_contain_text("'predictions (before softmax)' inside the model")
