"""Where browsers and their drivers are; nothing is downloaded, and Selenium is given both paths."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from tfjs_magic.errors import RunError
from tfjs_magic.headless.target import Local

_MAC = "/Applications"
#: Browser → its programs, by falling preference; a name is looked up on PATH.
_BROWSERS: Mapping[str, Sequence[str]] = {
    "chrome": (
        "chromium",
        "chromium-browser",
        "google-chrome",
        "google-chrome-stable",
        "chrome",
        f"{_MAC}/Google Chrome.app/Contents/MacOS/Google Chrome",
        f"{_MAC}/Chromium.app/Contents/MacOS/Chromium",
        r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    ),
    "firefox": (
        "firefox",
        "firefox-esr",
        f"{_MAC}/Firefox.app/Contents/MacOS/firefox",
        r"C:\Program Files\Mozilla Firefox\firefox.exe",
    ),
    "edge": (
        "microsoft-edge",
        "microsoft-edge-stable",
        f"{_MAC}/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
        r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    ),
    "safari": (f"{_MAC}/Safari.app/Contents/MacOS/Safari",),
}
#: Browser → its driver.
_DRIVERS: Mapping[str, str] = {
    "chrome": "chromedriver",
    "firefox": "geckodriver",
    "edge": "msedgedriver",
    "safari": "safaridriver",
}
#: Where Debian puts drivers beside PATH.
_MORE_DIRECTORIES = ("/usr/lib/chromium", "/usr/lib/chromium-browser")
#: Platform and browser → one command that installs both.
_INSTALL: Mapping[tuple[str, str], str] = {
    ("linux", "chrome"): "sudo apt-get install chromium chromium-driver",
    ("linux", "firefox"): "sudo apt-get install firefox-esr && npm install --global geckodriver",
    ("darwin", "chrome"): "brew install --cask google-chrome chromedriver",
    ("darwin", "firefox"): "brew install --cask firefox && brew install geckodriver",
    ("darwin", "safari"): "sudo safaridriver --enable",
    ("win32", "chrome"): "winget install Google.Chrome Chromium.ChromeDriver",
    ("win32", "firefox"): "winget install Mozilla.Firefox Mozilla.GeckoDriver",
    ("win32", "edge"): "winget install Microsoft.Edge Microsoft.EdgeDriver",
}


@dataclasses.dataclass(frozen=True)
class Programs:
    """Paths of a browser and of its driver."""

    browser: str
    driver: str


def find_programs(target: Local) -> Programs:
    """Return where a browser and its driver are.

    Raises:
        RunError: One of them is not there; names what was looked for, and the command that installs it.
    """
    names = _BROWSERS[target.name]
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        on_path = [name for name in names if "/" not in name and "\\" not in name]
        places = [name for name in names if sys.platform == "darwin" and name.startswith(_MAC)]
        looked = [*([f"PATH holds none of {', '.join(on_path)}"] if on_path else []), *(f"no '{p}'" for p in places)]
        raise RunError(f"{target.title} was not found: {', '.join(looked) or _ELSEWHERE}. {install_hint(target)}")
    name = _DRIVERS[target.name]
    path = os.pathsep.join((os.environ.get("PATH", ""), *_MORE_DIRECTORIES))
    driver = shutil.which(name, path=path)
    if driver is None:
        raise RunError(
            f"{target.title} is there ('{browser}'), but not its driver: PATH holds no {name}. {install_hint(target)}"
        )
    return Programs(browser, driver)


_ELSEWHERE = "this system has none"


def install_hint(target: Local) -> str:
    """Return the sentence that says how to install a browser and its driver."""
    command = _INSTALL.get((sys.platform, target.name))
    if command is None:
        return f"Install it and {_DRIVERS[target.name]} of its version, or name another browser."
    return f"To install both: {command}"
