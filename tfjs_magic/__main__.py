"""``python -m tfjs_magic``, and the command ``tfjs-magic``."""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any


def main() -> int:
    """Run the command line; Ctrl-C ends it also while Python still imports."""
    interrupted = False

    def note(*_: Any) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # only the main thread may
            signal.signal(signal.SIGINT, note)
    try:
        from tfjs_magic.cli import main as run  # noqa: PLC0415, TID251 - see above; it is the command

        status = run()
    except BaseException as error:
        # What is interrupted in the middle of its import, as numpy, may say that it cannot be imported.
        if interrupted or isinstance(error, KeyboardInterrupt):
            return 130
        raise
    return 130 if interrupted and status else status


if __name__ == "__main__":
    sys.exit(main())
