"""Measure how long ``%load_ext tfjs_magic`` keeps a notebook waiting, and what it loads.

Method. In a fresh IPython process each time: make a shell, take the time around ``run_line_magic("load_ext",
"tfjs_magic")``, and list which heavy packages are in ``sys.modules`` afterwards. Eleven runs after one that fills the
file cache; median and worst. The target is 100 ms for the median. Run: python -m tests.benchmarks.import_time
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

RUNS = 11
TARGET_MS = 100
HEAVY = ("tensorflow", "keras", "numpy", "anywidget", "ipywidgets", "pandas")

_CODE = f"""
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
start = time.perf_counter()
shell.run_line_magic("load_ext", "tfjs_magic")
elapsed = (time.perf_counter() - start) * 1e3
assert "tfjs_convert" in shell.magics_manager.magics["line"]
print(json.dumps([elapsed, [name for name in {HEAVY!r} if name in sys.modules and name not in before]]))
"""


def main() -> int:
    """Measure and print; give 1 if the target was missed."""
    runs = [_run() for _ in range(RUNS + 1)][1:]
    median = statistics.median(elapsed for elapsed, _ in runs)
    worst = max(elapsed for elapsed, _ in runs)
    loaded = runs[0][1]
    print(f"%load_ext tfjs_magic: median {median:.1f} ms, worst {worst:.1f} ms of {RUNS} (at most {TARGET_MS} ms)")
    print(f"heavy packages loaded by it: {', '.join(loaded) or 'none'}")
    return 0 if median <= TARGET_MS and not loaded else 1


def _run() -> tuple[float, list[str]]:
    done = subprocess.run([sys.executable, "-c", _CODE], stdout=subprocess.PIPE, text=True, check=True)
    elapsed, loaded = json.loads(done.stdout.splitlines()[-1])
    return elapsed, loaded


if __name__ == "__main__":
    sys.exit(main())
