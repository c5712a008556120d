"""The widget in light and dark, wide and narrow. The pictures are kept for people to look at."""

from __future__ import annotations

import re

import pytest

from tests.e2e.conftest import PICTURES
from tests.e2e.lab import THEMES, Notebook
from tests.e2e.widget import Widget

#: WCAG 2.1, success criterion 1.4.3: text on its background.
MIN_CONTRAST = 4.5

#: Every element of the widget with words or numbers of its own: text, colour, and the first opaque background below it.
_TEXTS = """root => {
  const background = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      const alpha = Number((color.match(/[\\d.]+/g) ?? [])[3] ?? 1);
      if (alpha > 0.99) return color;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  return [...root.querySelectorAll('*')].filter(e => e.tagName !== 'STYLE' && !e.closest(':disabled, title, desc')
      && e.getClientRects().length
      && [...e.childNodes].some(n => n.nodeType === 3 && /[\\p{L}\\p{N}]/u.test(n.data))).map(e => ({
    text: e.textContent.trim(), background: background(e),
    color: e instanceof SVGElement ? getComputedStyle(e).fill : getComputedStyle(e).color }));
}"""


@pytest.fixture
def finished(gpu_notebook: Notebook) -> Widget:
    """A widget with two backends, one of them a software GPU, its comparison unfolded."""
    gpu_notebook.set_cells(
        ["%%tfjs_convert --runs 30 --backend wasm,webgl --format graph\ntests.models.two_inputs_two_outputs()"]
    )
    gpu_notebook.run(0)
    widget = Widget(gpu_notebook.cell(0)).wait_for("finished")
    widget.root.locator(".tm-parity").first.click()
    return widget


def test_readable_in_every_theme_and_width(gpu_notebook: Notebook, finished: Widget) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page = gpu_notebook.page
    try:
        for theme in THEMES:
            gpu_notebook.use_theme(theme)
            for width in (1280, 420, 300):
                gpu_notebook.show_sidebar(shown=width > 1000)
                page.set_viewport_size({"width": width, "height": 1000})
                finished.wait_until_drawn()
                finished.root.scroll_into_view_if_needed()
                name = f"{theme.split()[1].lower()}-{width}.png"
                finished.root.screenshot(path=PICTURES / f"widget-{name}")
                page.screenshot(path=PICTURES / f"page-{name}")
                assert_readable(finished)
                assert_fits(finished)
    finally:
        page.set_viewport_size({"width": 1280, "height": 1000})
        gpu_notebook.use_theme("JupyterLab Light")
        gpu_notebook.show_sidebar(shown=True)


def assert_readable(widget: Widget) -> None:
    """Assert that every text stands out from what is behind it."""
    texts = widget.root.evaluate(_TEXTS)
    assert len(texts) > 20
    poor = {
        text["text"][:40]: round(ratio, 1)
        for text in texts
        if (ratio := contrast(text["color"], text["background"])) < MIN_CONTRAST
    }
    assert poor == {}


def assert_fits(widget: Widget) -> None:
    """Assert that nothing sticks out of the widget or of a cell of its table, and that the plot fills it."""
    wide, inner, plot = widget.root.evaluate(
        "root => [root.scrollWidth, root.clientWidth, root.querySelector('.tm-plot svg').getBoundingClientRect().width]"
    )
    assert wide <= inner
    cells = widget.root.locator("table.tm-jobs > tbody > tr:not(.tm-detail) > *")
    wide_cells = "cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText)"
    assert cells.evaluate_all(wide_cells) == []
    assert plot > 0.9 * min(inner, 900)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two CSS colours, WCAG 2.1; the first one's alpha is blended over the second."""
    below = _channels(second)[:3]
    *above, alpha = _channels(first)
    blended = [alpha * a + (1 - alpha) * b for a, b in zip(above, below, strict=True)]
    light, dark = sorted((_luminance(blended), _luminance(below)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _channels(color: str) -> list[float]:
    """Read ``rgb(27, 127, 59)``, or what color-mix gives: ``color(srgb 0.1 0.5 0.2 / 0.9)``; give 0–255 and alpha."""
    numbers = [float(number) for number in re.findall(r"[\d.]+", color.replace("srgb", ""))]
    if color.startswith("color(srgb "):
        numbers[:3] = [255 * number for number in numbers[:3]]
    else:
        assert color.startswith("rgb"), color
    return [*numbers, 1.0][:4]


def _luminance(channels: list[float]) -> float:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
