"""Finished rows in a directory, a JSON file each: what a sweep that was stopped need not do again."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfjs_magic.bench.result_file import write_text
from tfjs_magic.errors import SaveError
from tfjs_magic.sweeping.task import Row, Task
from tfjs_magic.writers.staging import writable

_FORMAT = "tfjs-magic sweep row"


class Store:
    """A directory of rows.

    Args:
        directory: Made where it is missing.

    Raises:
        SaveError: It is a file, or cannot be made.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = writable(directory)
        try:
            self._directory.mkdir(exist_ok=True)
        except OSError as error:
            raise SaveError(f"'{directory}' is no directory for the rows: {error.strerror}.") from error

    def found(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Row]]:
        """Yield the tasks that have a row from before."""
        for task in tasks:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                content = json.loads(self._path(task).read_bytes())
                if content["format"] == _FORMAT and content["key"] == task.key is not None:
                    yield task, content["row"]

    def keep(self, task: Task, row: Row) -> None:
        """Write a row, whole or not at all, unless nobody could tell later what it is the row of.

        Raises:
            SaveError: The disk fails.
        """
        if task.key is not None:
            text = json.dumps({"format": _FORMAT, "key": task.key, "row": row}, indent=2)
            write_text(self._path(task), text)

    def _path(self, task: Task) -> Path:
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", task.title).strip(".-")[:80]
        return self._directory / f"{name}-{str(task.key)[:12]}.json"
