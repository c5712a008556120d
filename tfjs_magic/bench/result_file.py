"""A result as a file: JSON that says what it is, and the reader that says what is wrong with another."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

from tfjs_magic._version import __version__
from tfjs_magic.errors import OptionError, SaveError, quoted_list, reason_of
from tfjs_magic.writers.staging import staged, writable

FORMAT = "tfjs_magic.BenchmarkResult"
#: One more whenever a reader of the version before would misunderstand what is written.
VERSION = 1

#: Thirty years.
LONGEST_MS = 1e12

_TEXT, _NUMBER, _TRUTH = (str,), (int, float), (bool,)
_MAYBE_TEXT, _MAYBE_NUMBER = (str, NoneType), (int, float, NoneType)
_CONTENT: Mapping[str, tuple[type, ...]] = {
    "status": _TEXT,
    "environment": (dict, NoneType),
    **dict.fromkeys(("summary", "comparisons", "warnings", "parity", "profiles", "divergences", "runs"), (list,)),
}
#: What every row of a list has; more is kept as it is.
_ROWS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "summary": {
        **dict.fromkeys(("model", "backend", "series", "status", "device", "parity_note", "error"), _TEXT),
        **dict.fromkeys(("warmup_runs", "n", "batch"), (int,)),
        **dict.fromkeys(("backend_ms", "load_ms", "first_ms", "median_ms", "p90_ms", "min_ms"), _MAYBE_NUMBER),
        **dict.fromkeys(("median_low_ms", "median_high_ms", "examples_per_s"), _MAYBE_NUMBER),
        "software": _TRUTH,
        "parity": _MAYBE_TEXT,
    },
    "comparisons": {
        **dict.fromkeys(("model", "backend", "baseline_model", "baseline_backend"), _TEXT),
        **dict.fromkeys(("ratio", "low", "high"), _NUMBER),
    },
    "parity": {"model": _TEXT, "backend": _TEXT, "parity": (dict, NoneType)},
    "runs": {
        **dict.fromkeys(("model", "backend", "series", "phase"), _TEXT),
        "index": (int,),
        "latency_ms": _NUMBER,
    },
    "profiles": {
        **dict.fromkeys(("model", "backend", "note"), _TEXT),
        **dict.fromkeys(("more_rows", "runs"), (int,)),
        **dict.fromkeys(("more_ms", "profiled_ms", "plain_ms"), _NUMBER),
        "median_ms": _MAYBE_NUMBER,
        "rows": (list,),
    },
    "divergences": {
        **dict.fromkeys(("model", "backend", "first", "sentence"), _TEXT),
        "bound": _NUMBER,
        "feed": (int,),
        "rows": (list,),
    },
}
#: What every row of a row's own list has.
_INNER_ROWS: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "profiles": {
        **dict.fromkeys(("node", "layer", "kernel"), _TEXT),
        **dict.fromkeys(("calls", "ms", "error_ms", "share", "cumulative_share", "nbytes"), _NUMBER),
        "order": (int,),
    },
    "divergences": {
        **dict.fromkeys(("layer", "layer_class", "note"), _TEXT),
        **dict.fromkeys(("max_abs_error", "max_rel_error", "added", "tolerance"), _MAYBE_NUMBER),
        "passed": _TRUTH,
    },
}
#: What the first files of this version lack.
_LATER: Mapping[str, Any] = {"profiles": [], "divergences": []}
_ENVIRONMENT: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("user_agent", "platform", "worker_problem", "tfjs_version"), _TEXT),
    "hardware_concurrency": (int,),
    "clock_resolution_ms": _NUMBER,
    "worker": _TRUTH,
}


def result_text(content: Mapping[str, Any], *, indent: int | None) -> str:
    """Return the fields of a result as JSON that begins with its format and version."""
    return json.dumps({"format": FORMAT, "version": VERSION, **content}, indent=indent, allow_nan=False)


def read_json(source: str | Path) -> tuple[dict[str, Any], str]:
    """Return the JSON object of a text, or of the file at a path, and what messages call it.

    Raises:
        OptionError: It is no such text; one sentence says what was found.
    """
    text, where = _text_of(source)
    try:
        content = json.loads(text, parse_constant=_finite, parse_float=_finite, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise _unreadable(where, f"is no JSON ({reason_of(error)})") from error
    if not isinstance(content, dict):
        raise _unreadable(where, "is other JSON")
    return content, where


def check_version(content: Mapping[str, Any], where: str, name: str) -> None:
    """Refuse a later version of the format ``name`` than this.

    Raises:
        OptionError: It is.
    """
    version = content.get("version")
    if type(version) is not int or version < 1:
        raise _unreadable(where, f"has the version {version!r:.80}")
    if version > VERSION:
        raise OptionError(
            f"{where} has version {version} of the format '{name}'; tfjs_magic {__version__} reads up to version "
            f"{VERSION}: update tfjs_magic."
        )


def read_result(content: dict[str, Any], where: str) -> dict[str, Any]:
    """Return what :func:`result_text` was given, checked; ``where`` is what messages call it.

    Raises:
        OptionError: It is something else; one sentence says what was found.
    """
    if content.get("format") != FORMAT:
        found = content.get("format")
        raise _unreadable(where, f"has the format '{found:.80}'" if isinstance(found, str) else "is other JSON")
    check_version(content, where, FORMAT)
    content = {**_LATER, **content}
    _check_content(content, where)
    return {name: value for name, value in content.items() if name not in {"format", "version"}}


def write_text(path: str | Path, text: str) -> None:
    """Write a file, whole or not at all; one that is there is replaced.

    Raises:
        SaveError: It cannot be written, or is a directory.
    """
    target = writable(path)
    if target.is_dir():
        raise SaveError(f"'{target}' is a directory; expected the name of a file.")
    with staged(target) as place:
        place.write_text(text, encoding="utf-8", errors="backslashreplace")


def _text_of(source: str | Path) -> tuple[str, str]:
    """Return the text, and what messages call it: a path never begins as JSON does."""
    if isinstance(source, str) and source.lstrip()[:1] in {"{", "["}:
        return source, "the text"
    try:
        return Path(source).expanduser().read_text(encoding="utf-8"), f"'{source}'"
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else reason_of(error)
        raise OptionError(f"'{str(source)[:100]}' cannot be read: {reason}; expected a file or its text.") from error


def _check_content(content: Mapping[str, Any], where: str) -> None:
    _check(content, _CONTENT, where)
    if content["environment"] is not None:
        _check(content["environment"], _ENVIRONMENT, f"the environment of {where}")
    for name, fields in _ROWS.items():
        for index, row in enumerate(content[name]):
            _check(row, fields, f"{name}[{index}] of {where}")
            for number, inner in enumerate(row["rows"] if name in _INNER_ROWS else ()):
                _check(inner, _INNER_ROWS[name], f"{name}[{index}].rows[{number}] of {where}")
    if not all(isinstance(line, str) for line in content["warnings"]):
        raise _unreadable(where, "has warnings that are no text")
    if wrong := [run["latency_ms"] for run in content["runs"] if not 0 <= run["latency_ms"] <= LONGEST_MS]:
        raise _unreadable(where, f"has a latency of {wrong[0]:g} ms")


def _check(row: Any, fields: Mapping[str, tuple[type, ...]], where: str) -> None:
    if not isinstance(row, dict):
        raise _unreadable(where, f"is a {type(row).__name__}")
    if missing := fields.keys() - row.keys():
        raise _unreadable(where, f"lacks {quoted_list(missing)}")
    for name, kinds in fields.items():
        if type(row[name]) not in kinds:
            raise _unreadable(where, f"has {row[name]!r:.80} for '{name}'")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text:.80} is no number of JSON")
    return value


def _integer(text: str) -> int:
    _finite(text)
    return int(text)


def _unreadable(where: str, found: str) -> OptionError:
    return OptionError(
        f"{where} {found}; expected what BenchmarkResult.to_json() writes: '{FORMAT}', version {VERSION}."
    )
