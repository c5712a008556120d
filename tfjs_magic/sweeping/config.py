"""A sweep as a file: the arguments of ``sweep`` in TOML."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfjs_magic.errors import OptionError, reason_of
from tfjs_magic.sweeping.grid import KNOWN, nearest
from tfjs_magic.sweeping.run import checked_sets, sweep

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: TOML has no null; no option has this text for a value.
_NOTHING = "none"
#: What a file cannot hold.
_OBJECTS = {"executor", "progress"}
_KEYS = tuple(name for name in inspect.signature(sweep).parameters if name not in _OBJECTS)


def read_config(path: str | Path, read_samples: Callable[[str], Any]) -> dict[str, Any]:
    """Return the arguments of ``sweep`` that a file holds; paths in it start from its own directory.

    ``[sources]`` is label → path, ``[options]`` option → list of values (``"none"`` for an option's absence),
    ``samples`` the path of an ``.npz`` or ``.npy`` file.

    Raises:
        OptionError: It cannot be read, or has a key or a value that does not exist: with line and nearest key.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else reason_of(error)
        raise OptionError(f"'{path}' cannot be read as TOML: {reason}.") from error
    _check_keys(content, _KEYS, text, path)
    options = content.get("options", {})
    for one in options if isinstance(options, list) else [options]:
        if isinstance(one, Mapping):  # what is none is the sweep's to refuse
            _check_keys(one, KNOWN, text, path)
    if not isinstance(sources := content.get("sources"), Mapping) or not sources:
        raise OptionError(f"'{path}' has no [sources]; expected label = \"path of a model\", a line for each.")

    def place(key: str, where: object) -> str:
        if not isinstance(where, str):
            raise OptionError(f"'{path}', line {_line_of(key, text)}: '{key}' is {where!r:.80}; expected a path.")
        return where if "://" in where else str(file.parent / Path(where).expanduser())

    found = {**content, "sources": {label: place(label, where) for label, where in sources.items()}}
    found["options"] = _without_nothing(options)
    _check_values(found, text, path)
    if "directory" in content:
        found["directory"] = place("directory", content["directory"])
    if "samples" in content:
        found["samples"] = read_samples(place("samples", content["samples"]))
    return found


def _check_keys(content: Mapping[str, Any], known: tuple[str, ...], text: str, path: str | Path) -> None:
    for key in content:
        if key not in known:
            raise OptionError(f"'{path}', line {_line_of(key, text)}: '{key}' is not known{nearest(key, known)}")


def _check_values(found: Mapping[str, Any], text: str, path: str | Path) -> None:
    others = {"sources", "options", "workers", "directory", "samples"}
    measurement = {key: value for key, value in found.items() if key not in others}
    if isinstance(backend := measurement.get("backends"), str):
        measurement["backends"] = [backend]
    try:
        checked_sets(found["options"], found.get("workers"), measurement)
    except OptionError as error:
        key = str(error).partition(" ")[0]
        line = _line_of("backends" if key == "backend" else key, text)
        raise OptionError(f"'{path}', line {line}: {error}") from error


def _line_of(key: str, text: str) -> int:
    """Return where a key stands first, from 1: in front of an equals sign, or as the name of a table."""
    found = re.search(rf"^\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*(=|\]|\.)", text, re.MULTILINE)
    return 1 + text.count("\n", 0, found.end() if found else 0)


def _without_nothing(options: Any) -> Any:
    if isinstance(options, Mapping):
        return {name: _without_nothing(value) for name, value in options.items()}
    if isinstance(options, list):
        return [_without_nothing(value) for value in options]
    return None if options == _NOTHING else options
