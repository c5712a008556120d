"""Run the sweep: ``python -m tests.sweep`` converts and runs every case, and says what became of each.

With words, only the cases whose names hold one of them run; ``--group`` picks groups whose titles hold its words.
``--backends`` names those that run, by default all four. ``--write`` puts what was found into ``docs/coverage.md``: a
row is a layer's class, with all its options, or a case.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # before TensorFlow is imported: it rounds otherwise than TF.js

from tests.conformance.node import TfjsNode, scratch_directory
from tests.sweep.groups import GROUPS, chosen, updated
from tests.sweep.subject import TRIED, Outcome, outcome
from tests.sweep.table import TABLE, committed, key_of, page


def main() -> int:
    """Return 1 if a case is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--group", default="")
    parser.add_argument("--backends", default=",".join(TRIED))
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    backends = arguments.backends.split(",")
    if arguments.write and set(backends) != set(TRIED):
        parser.error("--write needs every backend")
    found: dict[str, dict[str, Outcome]] = {}
    with scratch_directory() as scratch:
        node = TfjsNode(scratch)
        for title in (title for title in GROUPS if arguments.group in title):
            seen: dict[str, set[str]] = {}
            for case in chosen(title, arguments.words, whole_rows=arguments.write):
                kernels = seen.setdefault(key_of(title, case.name), set())
                result = found.setdefault(title, {})[case.name] = outcome(case, node, backends, seen=kernels)
                states = " ".join(f"{name}:{state}" for name, state in result.backends.items() if state != "exact")
                print(f"{result.kind:8} {case.name}  {states} {result.detail}", flush=True)
        node.close()
    if arguments.write:
        TABLE.write_text(page(updated(committed(), found)), encoding="utf-8")
    return int(any(result.kind == "wrong" for results in found.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
