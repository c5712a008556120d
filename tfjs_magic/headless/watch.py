"""A shell that ends a browser if this process is killed, when nothing of its own runs any more."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

#: Its input ends with us; then it kills the process group that it is given.
_SCRIPT = 'read -r _; kill -s KILL -- "-$1"'


@contextlib.contextmanager
def ended_with_us(group: int) -> Iterator[None]:
    """Let a process group end with this process, however that does; leave it alone if this is left before.

    Args:
        group: Its id. Windows has none.
    """
    if sys.platform == "win32":
        yield
        return
    command = ["/bin/sh", "-c", _SCRIPT, "sh", str(group)]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True) as shell:  # noqa: S603 - ours
        try:
            yield
        finally:
            shell.kill()
