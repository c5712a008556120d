"""Where Chromium is, and what to do where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium")
#: A quiet browser.
FLAGS = (
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: A GPU in software: it shows that WebGL and WebGPU work, its times say nothing about real ones.
SOFTWARE_GPU_FLAGS = (
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
)


class ChromiumMissingError(Exception):
    """No Chromium was found and none may be installed; the message says what to do."""


def find_chromium() -> str | None:
    """Return the browser that CHROMIUM names, else the first of ``NAMES`` on PATH.

    Raises:
        ChromiumMissingError: CHROMIUM names no program.
    """
    if named := os.environ.get("CHROMIUM"):
        if (found := shutil.which(named)) is None:
            raise ChromiumMissingError(f"CHROMIUM is '{named}', which is no program; set it to a browser's path.")
        return found
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def require_chromium() -> str:
    """Return a Chromium; as root on Debian, install it where it is missing.

    Raises:
        ChromiumMissingError: There is none, and this user may not install it.
    """
    if found := find_chromium():
        return found
    may_install = hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None
    if may_install:
        print("No Chromium on PATH: installing Debian's.", flush=True)
        subprocess.run(["apt-get", "update", "--quiet"], check=False)
        subprocess.run(INSTALL, check=False)
    if found := find_chromium():
        return found
    hint = "its output above says why" if may_install else "run it"
    raise ChromiumMissingError(
        f"no Chromium found: CHROMIUM is not set and PATH holds none of {', '.join(NAMES)}. "
        f"To install it: sudo {' '.join(INSTALL)} ({hint})."
    )


def launch(playwright: Playwright, executable: str, *, software_gpu: bool = False) -> Browser:
    """Start a headless browser with an empty profile; as root without its sandbox, which root cannot have.

    Args:
        playwright: What drives it.
        executable: The browser's program.
        software_gpu: Offer WebGL and WebGPU, computed by the CPU. Pages are drawn that way too then, which is slow.
    """
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*FLAGS, *(SOFTWARE_GPU_FLAGS if software_gpu else ()), *(["--no-sandbox"] if root else ())]
    return playwright.chromium.launch(executable_path=executable, args=flags)
