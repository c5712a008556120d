"""Read what a flag of the command line names: files of numpy's, lines of text, an expression."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

from tfjs_magic.errors import OptionError

TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def arrays_of(path: str) -> Any:
    """Read a file that no flag names."""
    try:
        return arrays(path)
    except argparse.ArgumentTypeError as error:
        raise OptionError(f"samples: {error}.") from None


def arrays(word: str) -> Any:
    """Read a file of numpy's; nothing in it is run."""
    import numpy as np  # noqa: PLC0415 - the help needs none

    try:
        content = np.load(word, allow_pickle=False)
        arrays = content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        msg = f"'{word}' cannot be read as .npy or .npz: {' '.join(str(error).split())}"
        raise argparse.ArgumentTypeError(msg) from None
    if isinstance(arrays, dict) and not all(isinstance(array, np.ndarray) for array in arrays.values()):
        msg = f"'{word}' holds other things than arrays; expected .npy or .npz"
        raise argparse.ArgumentTypeError(msg)
    return arrays


def lines(word: str) -> list[str]:
    """Read a file with one name on each line."""
    try:
        return Path(word).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        msg = f"'{word}' cannot be read as lines of text: {' '.join(str(error).split())}"
        raise argparse.ArgumentTypeError(msg) from None


def function(word: str) -> Any:
    """Read a Python expression, the user's own: np is numpy."""
    import numpy as np  # noqa: PLC0415 - as above

    try:
        return eval(word, {"np": np})  # noqa: S307 - typed by whoever runs this
    except Exception as error:  # noqa: BLE001 - whatever the expression raises
        msg = f"'{word}' cannot be evaluated: {type(error).__name__}: {error}"
        raise argparse.ArgumentTypeError(msg) from None


def boolean(word: str) -> bool:
    """Read a truth value."""
    if word.lower() not in TRUTH:
        msg = f"'{word}' is neither true nor false"
        raise argparse.ArgumentTypeError(msg)
    return TRUTH[word.lower()]


#: Readers of what is an expression in a notebook, by argument.
OF_BOUND = {"labels": arrays, "metric": function}
