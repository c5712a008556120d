"""A Chromium page that runs models on webgl and webgpu; a program of its own that speaks as js/conformance/node.mjs.

Chromium computes both in software here: what it computes is what its shaders say, its times say nothing.

Usage: python -m tests.conformance.page, then one JSON request per line in, one JSON reply per line out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Error, Page, Route, sync_playwright

from tests.e2e.chromium import launch, require_chromium

JS_DIR = Path(__file__).parents[2] / "js"
#: Never looked up: every request is answered here. WebGPU wants a secure origin.
ORIGIN = "https://conformance.invalid"


def main() -> None:
    """Answer requests until there are no more."""
    with sync_playwright() as playwright:
        browser = launch(playwright, require_chromium(), software_gpu=True)
        page = browser.new_page()
        page.set_default_timeout(0)  # whoever asks has a limit
        page.on("console", lambda message: print(message.text, file=sys.stderr))
        _serve(page)
        page.goto(ORIGIN)
        for line in sys.stdin:
            print(json.dumps(_answer(page, json.loads(line))), flush=True)


def _answer(page: Page, request: dict[str, Any]) -> dict[str, Any]:
    """Return the page's reply; a page that crashed has failed, too."""
    try:
        return page.evaluate("request => run(request)", request)  # type: ignore[no-any-return]
    except Error as error:
        failure = {"name": "PageError", "message": error.message, "stack": error.stack or ""}
        return {"id": request["id"], "ok": False, "error": failure}


def _serve(page: Page) -> None:
    """Answer every request of the page from memory and disk: no port is opened."""
    script = _bundled()

    def answer(route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.path != "/files":
            body = script if url.path == "/page.js" else b"<!doctype html><script src='/page.js'></script>"
            content_type = "text/javascript" if url.path == "/page.js" else "text/html"
            route.fulfill(body=body, headers={"content-type": content_type})
            return
        path = Path(parse_qs(url.query)["path"][0])
        if route.request.method == "POST":
            path.write_bytes(route.request.post_data_buffer or b"")
            route.fulfill(body=b"")
        else:
            route.fulfill(body=path.read_bytes())

    page.route("**/*", answer)


def _bundled() -> bytes:
    command = ["node_modules/.bin/esbuild", "conformance/page.mjs", "--bundle", "--target=es2022"]
    return subprocess.run(command, cwd=JS_DIR, check=True, capture_output=True).stdout


if __name__ == "__main__":
    main()
