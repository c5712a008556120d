"""Show the real widget in Chromium on a mock kernel; screenshots and the final state go to a directory.

Usage: python js/test/harness/run.py OUT_DIR [QUERY] [--dark] [--width=900] [--no-workers] [--gpu]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright

HERE = Path(__file__).parent
JS = HERE.parents[1]
STATIC = JS.parent / "tfjs_magic" / "static"
ORIGIN = "https://harness.invalid"
TYPES = {".js": "text/javascript", ".html": "text/html", ".json": "application/json", ".gz": "application/octet-stream"}
#: A software GPU: shows that WebGL and WebGPU work, says nothing about their speed.
GPU_FLAGS = (
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
)


def bundle_harness() -> bytes:
    """Bundle main.ts in memory."""
    command = ["node_modules/.bin/esbuild", "test/harness/main.ts", "--bundle", "--format=esm", "--target=es2022"]
    return subprocess.run(command, cwd=JS, check=True, capture_output=True).stdout


def serve(page: Page, *, dark: bool, workers: bool) -> None:
    """Answer every request of the page from memory and disk: no port is opened."""
    harness = bundle_harness()
    index = (HERE / "index.html").read_text().replace("<html", f'<html class="{"dark" if dark else "light"}"')

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).split("?")[0]
        headers = {"content-type": TYPES.get(Path(path).suffix, "text/html")}
        if path == "/":
            if not workers:
                headers["content-security-policy"] = "worker-src 'none'"
            route.fulfill(body=index, headers=headers)
        elif path == "/harness.js":
            route.fulfill(body=harness, headers=headers)
        elif (file := STATIC / Path(path).name).is_file():
            route.fulfill(body=file.read_bytes(), headers=headers)
        else:
            route.fulfill(status=404)

    page.route("**/*", answer)


def main() -> None:
    """Run one benchmark to its end."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    flags = {arg for arg in sys.argv[2:] if arg.startswith("--")}
    query = next((arg for arg in sys.argv[2:] if not arg.startswith("--")), "backends=wasm")
    width = next((int(flag.split("=")[1]) for flag in flags if flag.startswith("--width=")), 900)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        args = ["--no-sandbox", *(GPU_FLAGS if "--gpu" in flags else ())]
        browser = playwright.chromium.launch(executable_path=chromium, args=args)
        dark = "--dark" in flags
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light")
        page.on("console", lambda message: print("console:", message.text))
        page.on("pageerror", lambda error: print("pageerror:", error))
        serve(page, dark=dark, workers="--no-workers" not in flags)
        page.goto(f"{ORIGIN}/?{query}")
        page.wait_for_selector(".tfjs-magic [data-status=running]", timeout=60_000)
        page.screenshot(path=out / "running.png")
        ended = "['finished', 'failed', 'stopped'].includes(kernel.reports.at(-1)?.status)"
        page.wait_for_function(f"{ended} && kernel.pictures.length > 0", timeout=120_000)
        page.screenshot(path=out / "finished.png", full_page=True)
        (out / "reports.json").write_text(json.dumps(page.evaluate("kernel.reports"), indent=1))
        for i, svg in enumerate(page.evaluate("kernel.pictures")):
            (out / f"picture{i}.svg").write_text(svg)
        browser.close()


if __name__ == "__main__":
    main()
