"""What ``browser=`` names: a browser of this machine, or one that a Selenium Grid gives."""

from __future__ import annotations

import dataclasses
import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from tfjs_magic.options import BROWSERS, NODE

_TITLES = {"chrome": "Chrome", "firefox": "Firefox", "edge": "Edge", "safari": "Safari"}


@dataclasses.dataclass(frozen=True)
class Local:
    """A browser of this machine.

    Attributes:
        name: One of ``BROWSERS``.
    """

    name: str

    @property
    def title(self) -> str:
        """As it stands in a sentence."""
        return _TITLES[self.name]


@dataclasses.dataclass(frozen=True)
class Grid:
    """A Selenium Grid or a device farm.

    Attributes:
        url: Where it answers; with name and password, if it has them.
        capabilities: What is asked for; Chrome if nothing names a browser.
    """

    url: str
    capabilities: Mapping[str, Any]

    @property
    def title(self) -> str:
        """As it stands in a sentence: without name and password."""
        parts = urllib.parse.urlsplit(self.url)
        return f"the Grid at {parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()}"


@dataclasses.dataclass(frozen=True)
class Node:
    """No browser: the page's code in Node, on cpu and wasm."""

    title = "Node"


Target = Local | Grid | Node


def read_target(browser: str) -> Target:
    """Read what ``browser=`` names, which :class:`BenchmarkOptions` has checked.

    A URL's query holds capabilities. In ``http://grid:4444?browserName=firefox&platformName=Linux`` each value is JSON
    where it can be read as such, and text else: ``goog:chromeOptions={"args":["--headless=new"]}``.
    """
    if browser == NODE:
        return Node()
    if browser in BROWSERS:
        return Local(browser)
    parts = urllib.parse.urlsplit(browser)
    asked = {name: _value(text) for name, text in urllib.parse.parse_qsl(parts.query, keep_blank_values=True)}
    return Grid(parts._replace(query="", fragment="").geturl(), {"browserName": "chrome", **asked})


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
