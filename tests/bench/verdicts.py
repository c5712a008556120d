"""Cases on which Python and a page without a kernel say the same: of outputs, and of noise.

Usage: python -m tests.bench.verdicts

Writes ``js/test/verdicts.json``, one case a line: the numbers of both sides, and the verdict of ``verify.compare``; and
``js/test/noise.json``: a state, and the lines of ``noise.noise_lines``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.bench.test_result import ENVIRONMENT, snapshot_with
from tfjs_magic.artifacts import Array
from tfjs_magic.bench.noise import noise_lines
from tfjs_magic.bench.verify import compare

FILE = Path(__file__).parents[2] / "js" / "test" / "verdicts.json"
NOISE_FILE = FILE.with_name("noise.json")

_NAN, _INF = float("nan"), float("inf")


def _one(expected: Any, actual: Any, dtype: str = "float32", other: str | None = None, **terms: Any) -> dict[str, Any]:
    """Return a case with one feed and one output."""
    return _case([{"y": np.array(expected, dtype)}], [{"y": np.array(actual, other or dtype)}], **terms)


def _case(
    expected: Sequence[Mapping[str, Array]], actual: Sequence[Mapping[str, Array]], **terms: Any
) -> dict[str, Any]:
    terms = {"backend": "wasm", "quantized": False, "tolerance": None, "one_dnn": True} | terms
    return {"expected": expected, "actual": actual, "terms": terms}


def cases() -> dict[str, dict[str, Any]]:
    """Return name → case."""
    rng = np.random.default_rng(0)
    deep = rng.standard_normal((2, 1, 10)).astype(np.float32)
    noisy = [deep[0] * np.float32(1 + 3e-5), deep[1]]
    feeds = [{"y": deep[0]}, {"y": deep[1]}]
    return {
        "equal": _case(feeds, feeds),
        "within": _case(feeds, [{"y": y} for y in noisy]),
        "beyond, rounding": _case(feeds, [{"y": y * np.float32(1.002)} for y in deep]),
        "beyond, no oneDNN": _case(feeds, [{"y": y * np.float32(1.002)} for y in deep], one_dnn=False),
        "beyond, webgl": _case(feeds, [{"y": y * np.float32(1.0005)} for y in deep], backend="webgl"),
        "beyond, unknown backend": _case(feeds, [{"y": y * np.float32(1.5)} for y in deep], backend=None),
        "own tolerance": _case(feeds, [{"y": y * np.float32(1.5)} for y in deep], tolerance=0.75),
        "own tolerance of zero": _case(feeds, [{"y": y} for y in noisy], tolerance=0.0),
        "quantized": _case(feeds, [{"y": y * np.float32(1.25)} for y in deep], quantized=True),
        "quantized, beyond a tolerance": _case(
            feeds, [{"y": y * np.float32(1.25)} for y in deep], quantized=True, tolerance=0.00001
        ),
        "several outputs": _case(
            [{"a": deep[0], "b": np.array([1, 2])}, {"a": deep[1], "b": np.array([3, 4])}],
            [{"a": deep[0], "b": np.array([1, 2])}, {"a": deep[1], "b": np.array([3, 9])}],
        ),
        "another shape": _one([[1, 2, 3]], [[1, 2]]),
        "a scalar for a row": _one([1], 1),
        "integers": _one([1, 2, 3], [1, 2, 3], "int64"),
        "integers that differ": _one([1, 2, 3], [1, 5, 3], "int64", "int32"),
        "booleans": _one([True, False], [True, True], "bool"),
        "texts": _one(["a", "ü"], ["a", "ü"], "object"),
        "texts that differ": _one(["a", "ü"], ["a", "u"], "object"),
        "complex": _one([1 + 2j, 3], [1 + 2j, 3 - 1e-6j], "complex64"),
        "complex that differ": _one([1 + 2j, 3], [1 - 2j, 3], "complex64"),
        "NaN in the same places": _one([1, _NAN, _INF, -_INF], [1, _NAN, _INF, -_INF]),
        "NaN elsewhere": _one([1, _NAN, 2], [1, 3, _NAN]),
        "another infinity": _one([1, _INF], [1, -_INF]),
        "one output hardly differs": _case(
            [{"y": y, "z": np.float32([1, 2])} for y in deep], [{"y": y, "z": np.float32([1, 2])} for y in deep]
        ),
        "one output is nothing finite": _case(
            [{"y": y, "z": np.float32([_NAN])} for y in deep], [{"y": y, "z": np.float32([_NAN])} for y in deep]
        ),
        "nothing finite": _one([_NAN, _INF], [_NAN, _INF]),
        "all equal": _one([0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]),
        "all zero": _one([0, 0], [0, 1e-5]),
        "zero and an error": _one([0, 0], [0, 1]),
        "empty": _one(np.zeros((0, 3)), np.zeros((0, 3))),
        "float64": _one([1e30, 1], [1e30, 1], "float64"),
        "half precision": _one([1.5, 2], [1.5, 2], "float16", "float32"),
        "ties take the first": _one([[1, 1, 0], [0, 2, 2]], [[1, 1, 0], [0, 2, 2.0001]]),
        "feeds that hardly differ": _case(
            [{"y": deep[0]}, {"y": deep[0] * np.float32(1 + 1e-6)}], [{"y": deep[0]}, {"y": deep[0]}]
        ),
        "feeds of other shapes": _case(
            [{"y": deep[0]}, {"y": deep[1, :, :4]}], [{"y": deep[0]}, {"y": deep[1, :, :4]}]
        ),
        "integers of feeds that are equal": _case([{"y": np.arange(3)}] * 2, [{"y": np.arange(3)}] * 2),
        "one example": _case(feeds[:1], feeds[:1]),
    }


def verdict(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return Python's verdict on a case."""
    terms = {**case["terms"]}
    with mock.patch.dict("os.environ", {"TF_ENABLE_ONEDNN_OPTS": "1" if terms.pop("one_dnn") else "0"}):
        return dict(compare(case["expected"], case["actual"], **terms))


def text() -> str:
    """Return the file's content."""
    return _lines(_rows())


def noise_text() -> str:
    """Return that of the file about noise."""
    return _lines(_noise_rows())


def _lines(rows: Iterator[dict[str, Any]]) -> str:
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
    return f"[\n{f',{chr(10)}'.join(lines)}\n]\n"


def _noise_rows() -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    quiet = (10 * np.exp(0.02 * rng.normal(size=40))).round(4)
    cases: dict[str, tuple[list[float], dict[str, Any], dict[str, Any]]] = {
        "quiet": (quiet.tolist(), {}, {}),
        "load": ((10 * np.exp(0.4 * rng.normal(size=40))).round(4).tolist(), {}, {}),
        "heat": ((quiet * np.linspace(1, 1.5, 40)).round(4).tolist(), {}, {}),
        "warm-up": ((quiet * np.linspace(1.5, 1, 40)).round(4).tolist(), {}, {}),
        "clock": ([0.4] * 20, {}, {}),
        "batches": ([0.4] * 20, {}, {"batch": 20}),
        "hidden": (quiet.tolist(), {"hidden_ms": 2500.0}, {}),
        "fastest, with a size": (
            [0.4] * 20,
            {},
            {
                "actual": None,
                "job": {"model": 0, "backend": None, "feed": 0},
                "series": {"label": "batch 4", "examples": 4},
            },
        ),
        "few": ([1.0] * 5 + [9.0] * 5, {}, {}),
        "none": ([], {}, {}),
    }
    for name, (runs, environment, job) in cases.items():
        snapshot = snapshot_with(runs)
        snapshot["environment"] = {**ENVIRONMENT, **environment}
        snapshot["jobs"][0] |= job
        yield {"name": name, "snapshot": snapshot, "lines": noise_lines(snapshot)}
    for count in (2, 3, 4):
        snapshot = snapshot_with(cases["load"][0])
        (job,) = snapshot["jobs"]
        noisy = [{**job, "actual": actual} for actual in ("wasm", "cpu", "webgl", "webgpu")[:count]]
        quiet_one = {**job, "run_ms": quiet.tolist()}
        snapshot["jobs"] = noisy if count < 4 else [*noisy, quiet_one]
        yield {"name": f"{count} noisy ones", "snapshot": snapshot, "lines": noise_lines(snapshot)}


def _rows() -> Iterator[dict[str, Any]]:
    for name, case in cases().items():
        sides = {
            side: [{key: _plain(array) for key, array in feed.items()} for feed in case[side]]
            for side in case
            if side != "terms"
        }
        yield {"name": name, **sides, "terms": case["terms"], "parity": _rounded(verdict(case))}


def _plain(array: Array) -> dict[str, Any]:
    flat = np.ravel(array)
    if array.dtype.kind == "O":
        values: list[Any] = flat.tolist()
    else:
        numbers = np.stack([flat.real, flat.imag], -1).ravel() if array.dtype.kind == "c" else flat
        values = [value if np.isfinite(value) else str(value) for value in numbers.astype(np.float64).tolist()]
    return {"dtype": str(array.dtype), "kind": array.dtype.kind, "shape": list(array.shape), "values": values}


def _rounded(parity: dict[str, Any]) -> dict[str, Any]:
    """BLAS sums in an order of its own."""
    outputs = [
        {**row, "cosine": None if row["cosine"] is None else round(row["cosine"], 12)} for row in parity["outputs"]
    ]
    return {**parity, "outputs": outputs}


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
    NOISE_FILE.write_text(noise_text(), encoding="utf-8")
