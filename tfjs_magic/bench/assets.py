"""The built JavaScript that pages pull from the kernel."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

from tfjs_magic.errors import RunError

STATIC = Path(__file__).parent.parent / "static"

_NOT_BUILT = (
    "the browser files are not built: '{path}' is missing. Install tfjs-magic from its wheel, "
    "or run 'make build' in the source tree."
)


@dataclasses.dataclass(frozen=True)
class Asset:
    """A file for the page.

    Attributes:
        path: Where it lies; gzip if its name says so.
        sha256: Of the plain bytes, in hex.
    """

    path: Path
    sha256: str

    @property
    def encoding(self) -> Literal["gzip", "identity"]:
        """How the bytes of ``path`` are packed."""
        return "gzip" if self.path.suffix == ".gz" else "identity"


def load_assets(static: Path = STATIC) -> dict[str, Asset]:
    """Return the files that a page may ask for, by the name on the wire.

    Raises:
        RunError: The bundles are not built.
    """
    index = json.loads(_read(static / "assets.json"))
    return {name: Asset(_packed(static / name), sha256) for name, sha256 in index.items()}


def load_esm(static: Path = STATIC) -> str:
    """Return the widget's own small module.

    Raises:
        RunError: The bundles are not built.
    """
    return _read(static / "widget.js")


def load_headless(static: Path = STATIC) -> str:
    """Return the script that makes an empty page one that WebDriver scripts can talk to.

    Raises:
        RunError: The bundles are not built.
    """
    return _read(static / "headless.js")


def load_plain(name: str, static: Path = STATIC) -> str:
    """Return a file that no page asks for.

    Raises:
        RunError: The bundles are not built.
    """
    return _read(static / name)


def _packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.exists() else path


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RunError(_NOT_BUILT.format(path=path)) from error
