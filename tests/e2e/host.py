"""A front end that is nothing but a page: the widget's own module, its session in this process, and any policy."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route

from tfjs_magic.bench.assets import load_assets, load_esm
from tfjs_magic.bench.contender import contenders_of
from tfjs_magic.bench.session import Answer, Session
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions

#: Nothing is fetched from there: the browser is given what it asks for.
ADDRESS = "https://front-end.test"
_SCRIPT = Path(__file__).with_name("host.js")


class Output:
    """What one cell shows: a benchmark without a widget.

    Attributes:
        asked: The kinds of the messages that came, in order.
        loses: Says which answers get lost.
    """

    def __init__(self, model: TfjsModel, options: BenchmarkOptions) -> None:
        self._assets = load_assets()
        self._answers: list[Answer] = []
        self.asked: list[str] = []
        self.loses: Callable[[str], bool] = lambda _: False
        self.session = Session(
            contenders_of({"model": model}, options),
            options=options,
            assets=self._assets,
            send=lambda reply, buffers: self._answers.append((reply, buffers)),
            publish=lambda _: None,
        )

    def traits(self, index: int) -> Mapping[str, object]:
        """Return what the page's model holds at first."""
        assets = {name: asset.sha256 for name, asset in self._assets.items()}
        return {"assets": assets, "snapshot": self.session.snapshot, "widget_id": "", "output": index}

    def answer(self, content: Mapping[str, Any], buffers: list[str]) -> Mapping[str, object]:
        """Take a message, and return the answers."""
        self.asked.append(content["name"] if content["kind"] == "get_asset" else content["kind"])
        self.session.receive(content, [base64.b64decode(text) for text in buffers])
        answers, self._answers = self._answers, []
        if self.loses(content["kind"]):
            answers = []
        replies = [{"content": c, "buffers": [base64.b64encode(b).decode() for b in bs]} for c, bs in answers]
        return {"replies": replies, "snapshot": self.session.snapshot}


def show(browser: Browser, outputs: list[Output], *, policy: str) -> Page:
    """Open a page with a frame for each output, all of one origin, under a Content-Security-Policy.

    Whoever asks closes the page's context.
    """
    context = browser.new_context()
    context.expose_binding("traits", lambda _, index: outputs[index].traits(index))
    context.expose_binding("toKernel", lambda _, index, *message: outputs[index].answer(*message))
    frames = "".join(f"<iframe name='{i}' src='/{i}' width='900' height='700'></iframe>" for i in range(len(outputs)))

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(f"{ADDRESS}/")
        script = {"host.js": _SCRIPT.read_text(), "widget.js": load_esm()}.get(path)
        page = f"<body data-output='{path}'><script type='module' src='/host.js'></script></body>" if path else frames
        route.fulfill(
            body=script or f"<!DOCTYPE html>{page}",
            content_type="text/javascript" if script else "text/html",
            headers={"Content-Security-Policy": policy} if path else {},
        )

    context.route(f"{ADDRESS}/**", serve)
    page = context.new_page()
    page.goto(f"{ADDRESS}/")
    return page
