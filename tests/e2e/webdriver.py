"""Where the driver of Chromium is, and what to do where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess

from tests.e2e.chromium import ChromiumMissingError, require_chromium

INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "chromium-driver")


def require_chromedriver() -> str:
    """Return Chromium's driver; as root on Debian, install it where it is missing.

    Raises:
        ChromiumMissingError: There is none, and this user may not install it.
    """
    require_chromium()
    if found := shutil.which("chromedriver"):
        return found
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None:
        print("No chromedriver on PATH: installing Debian's.", flush=True)
        subprocess.run(["apt-get", "update", "--quiet"], check=False)
        subprocess.run(INSTALL, check=False)
    if found := shutil.which("chromedriver"):
        return found
    raise ChromiumMissingError(f"no chromedriver on PATH. To install it: sudo {' '.join(INSTALL)}.")
