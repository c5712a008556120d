"""A shell that ends a browser if this process is killed, when nothing of its own runs any more."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator

#: Its input ends with us; then it kills the process group that it was told.
_SCRIPT = 'read -r group && { read -r _; kill -s KILL -- "-$group"; }'


@contextlib.contextmanager
def ending_with_us() -> Iterator[Callable[[int], None]]:
    """Yield what takes the id of a process group, to end with this process, however that does.

    The first one that it is told counts. It is left alone once this is left; Windows has no groups.
    """
    if sys.platform == "win32":
        yield lambda _: None
        return
    null = subprocess.DEVNULL
    with subprocess.Popen(  # noqa: S603 - ours
        ["/bin/sh", "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True
    ) as shell:
        told: set[int] = set()

        def tell(group: int) -> None:
            if not told and shell.stdin is not None:
                shell.stdin.write(f"{group}\n".encode())
                shell.stdin.flush()
                told.add(group)

        try:
            yield tell
        finally:
            shell.kill()
