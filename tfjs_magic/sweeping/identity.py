"""What makes two rows the same: a finished one is not computed again unless something of it has changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfjs_magic._version import __version__
from tfjs_magic.artifacts import Artifacts


class NoIdentityError(Exception):
    """An object of which nobody can tell whether it has changed."""


def identity(source: object, options: Mapping[str, Any], measurement: Mapping[str, Any]) -> str | None:
    """Return a digest of all that a row depends on; None where none can be made, and the row is always computed.

    Of a path the sizes and times of its files count, of a Keras model its configuration and its weights.
    """
    try:
        stated = json.dumps([__version__, _source(source), options, measurement], sort_keys=True, default=_stated)
    except (NoIdentityError, TypeError, ValueError):
        return None
    return hashlib.sha256(stated.encode()).hexdigest()


def _source(source: object) -> object:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        files = sorted(path.rglob("*")) if path.is_dir() else [path] if path.exists() else []
        return [str(path.absolute()), [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]]
    if isinstance(source, Artifacts):
        return [source.model_json, [_digest(part) for group in source.groups for part in group.parts]]
    if callable(config := getattr(source, "get_config", None)):
        return [config(), [[w.path, _digest(np.ascontiguousarray(w.numpy()))] for w in getattr(source, "weights", ())]]
    raise NoIdentityError


def _stated(value: object) -> object:
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            return value.tolist()
        return [str(value.dtype), value.shape, _digest(np.ascontiguousarray(value))]
    if isinstance(value, (np.generic, bytes, os.PathLike)):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if callable(value):  # a metric: its code may have changed
        raise NoIdentityError
    return repr(value)


def _digest(data: Any) -> str:
    return hashlib.sha256(memoryview(data).cast("B")).hexdigest()
