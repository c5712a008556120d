"""``tfjs-magic sweep``: many models in many variants, as a file says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from tfjs_magic.errors import RunError
from tfjs_magic.sweeping.config import read_config
from tfjs_magic.sweeping.run import sweep


def run_sweep(
    arguments: argparse.Namespace,
    write: Callable[[str], None],
    say: Callable[[str], None],
    read_samples: Callable[[str], Any],
) -> None:
    """Convert, verify, measure, and print the table.

    Raises:
        OptionError: The file or an option is wrong; nothing has begun.
        RunError: A row has no model or wrong numbers; the table is printed.
    """
    try:
        import pandas  # noqa: F401, ICN001, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise RunError("sweep needs pandas: pip install 'tfjs-magic[dataframe]'.") from error
    table = sweep(**read_config(arguments.config, read_samples), progress=say)
    write(table.to_json(orient="records", indent=2) if arguments.json else table.to_string(index=False))
    failed = table[~table["status"].isin(["measured", "verified", "converted"])]
    if len(failed):
        counts = ", ".join(f"{count} {status}" for status, count in failed["status"].value_counts().items())
        raise RunError(f"{counts} of {len(table)} rows.")
