"""Run the sweep and write its table, ``docs/coverage.md``: ``python -m tests.sweep``.

With words, only the cases whose names hold one of them run, and nothing is written; ``--group`` picks groups whose
titles hold its words.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # before TensorFlow is imported: it rounds otherwise than TF.js

from tests.conformance.node import TfjsNode
from tests.sweep.groups import GROUPS
from tests.sweep.subject import Outcome, outcome
from tests.sweep.table import TABLE, table


def main() -> int:
    """Return 1 if a case is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweep", description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--group", default="")
    arguments = parser.parse_args()
    words, part = arguments.words, bool(arguments.words or arguments.group)
    found: dict[str, dict[str, Outcome]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        node = TfjsNode(Path(scratch))
        for title, cases in GROUPS.items():
            if arguments.group not in title:
                continue
            for case in cases():
                if words and not any(word in case.name for word in words):
                    continue
                result = found.setdefault(title, {})[case.name] = outcome(case, node)
                print(f"{result.kind:8} {case.name}  {result.detail}", flush=True)
        node.close()
    if not part:
        TABLE.write_text(table(found), encoding="utf-8")
    return int(any(result.kind == "wrong" for results in found.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
