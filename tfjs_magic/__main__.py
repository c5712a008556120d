"""``python -m tfjs_magic``, and the command ``tfjs-magic``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; Ctrl-C ends it also while Python still imports."""
    try:
        from tfjs_magic.cli import main as run  # noqa: PLC0415, TID251 - see above; it is the command

        return run()
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
