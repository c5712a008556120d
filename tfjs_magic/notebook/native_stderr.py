"""What TensorFlow's C++ writes to the process's stderr, which kernels show in red, as if something had failed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

_STDERR = 2


@contextlib.contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Drop it meanwhile, in a kernel: Python's own stderr goes another way there. TF_CPP_MIN_LOG_LEVEL=0 keeps it.

    TensorFlow 2.21 logs before it reads that variable, so that higher levels do not silence it.
    """
    if sys.stderr is sys.__stderr__ or os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    try:
        kept = os.dup(_STDERR)
    except OSError:  # the process has none
        yield
        return
    try:
        with open(os.devnull, "wb") as null:  # noqa: PTH123 - no file
            os.dup2(null.fileno(), _STDERR)
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
