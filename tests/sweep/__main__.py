"""Run the sweep and write its table, ``docs/coverage.md``: ``python -m tests.sweep``.

With words, only the cases whose names hold one of them run, and nothing is written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # before TensorFlow is imported: it rounds otherwise than TF.js

from tests.conformance.node import TfjsNode
from tests.sweep.groups import GROUPS
from tests.sweep.subject import Outcome, outcome
from tests.sweep.table import TABLE, table


def main(words: list[str]) -> int:
    """Give 1 if a case is wrong."""
    found: dict[str, dict[str, Outcome]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        node = TfjsNode(Path(scratch))
        for title, cases in GROUPS.items():
            for case in cases():
                if words and not any(word in case.name for word in words):
                    continue
                result = found.setdefault(title, {})[case.name] = outcome(case, node)
                print(f"{result.kind:8} {case.name}  {result.detail}", flush=True)
        node.close()
    if not words:
        TABLE.write_text(table(found), encoding="utf-8")
    return int(any(result.kind == "wrong" for results in found.values() for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
