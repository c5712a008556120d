"""Measure TF.js's kernels: ``python -m tests.kernels [OP …]`` says what fails; ``--write`` puts it into the table."""

from __future__ import annotations

import argparse
import json
import os
import sys

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # before TensorFlow is imported: it rounds otherwise than TF.js

from tests.conformance.node import TfjsNode, scratch_directory
from tests.kernels.measure import failures, prepared_trials
from tests.kernels.recipes import RECIPES
from tests.kernels.table import TABLE, row, written
from tfjs_magic.options import BACKENDS


def main() -> int:
    """Measure the ops that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.kernels", description=__doc__)
    parser.add_argument("ops", nargs="*")
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = {}
    with scratch_directory() as scratch:
        node = TfjsNode(scratch, keep=True)
        for op in sorted(arguments.ops or RECIPES):
            prepared = prepared_trials(op)
            found = {b: failures(prepared, node, b) if b in arguments.backends.split(",") else {} for b in BACKENDS}
            rows[op] = row(op, prepared, found)
            print(op, len(prepared), flush=True)
            for fail in rows[op]["fails"]:
                print("   ", json.dumps(fail), flush=True)
            if arguments.verbose:
                for backend, problems in found.items():
                    for trial, what in problems.items():
                        print("   ", backend, trial, what, flush=True)
        node.close()
    if arguments.write:
        known = json.loads(TABLE.read_text(encoding="utf-8"))["ops"]
        TABLE.write_text(written({op: row for op, row in {**known, **rows}.items() if op in RECIPES}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
