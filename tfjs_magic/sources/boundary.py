"""Where what a file provokes in Keras, TensorFlow or us becomes one sentence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tfjs_magic.errors import TfjsMagicError, UnsupportedModelError, reason_of


@contextlib.contextmanager
def one_sentence(what: str) -> Iterator[None]:
    """Let any error inside be one of ours; the original is its cause.

    Args:
        what: What is read, and where: "'m.keras'".

    Raises:
        UnsupportedModelError: Whatever else was raised.
    """
    try:
        yield
    except TfjsMagicError:
        raise
    except Exception as error:  # whatever the file provokes
        raise UnsupportedModelError(
            f"{what} is damaged, or is such as nobody has tried: {type(error).__name__}: {reason_of(error)}."
        ) from error
