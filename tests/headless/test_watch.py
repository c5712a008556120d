"""What a process started ends with it, also where it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tfjs_magic.headless.watch import ending_with_us

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups")
ROOT = Path(__file__).parents[2]
_GROUP = """
import subprocess, time
from tfjs_magic.headless.watch import ending_with_us
started = subprocess.Popen(["sleep", "60"], start_new_session=True)
with ending_with_us() as watch:
    watch(started.pid)
    print(started.pid, flush=True)
    time.sleep(60)
"""
_WORKER = """
import os, time
from tfjs_magic.sweeping.run import _pool
if __name__ == "__main__":
    with _pool(None, 1, 1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def _has_ended(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("script", [_GROUP, _WORKER], ids=["a-process-group", "a-worker-of-a-sweep"])
def test_it_ends_with_a_process_that_is_killed(script: str, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{script}", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(file)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    assert _has_ended(pid)


def test_it_is_left_alone_otherwise() -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as started:
        before = psutil.Process().children()
        with ending_with_us() as watch:
            watch(started.pid)
            watch(psutil.Process().pid)  # the first one counts
            assert len(psutil.Process().children()) == len(before) + 1
        assert psutil.Process().children() == before
        assert started.poll() is None
        started.kill()
