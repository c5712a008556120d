"""Options are checked where they are made."""

from __future__ import annotations

from typing import Any

import pytest

from tfjs_magic.options import AutoQuantize, BenchmarkOptions, ConvertOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"format": "both"}, "call it with 'layers' and with 'graph'", id="both"),
        pytest.param({"format": "onnx"}, "format is 'onnx'; expected one of auto, layers, graph", id="format"),
        pytest.param({"target": "cpu"}, "target is 'cpu'; expected one of auto, wasm, webgl, webgpu", id="target"),
        pytest.param({"weight_shard_size_bytes": 0}, "weight_shard_size_bytes is 0; expected at least 1", id="shards"),
        pytest.param({"quantize": "auto"}, "needs samples: quantize=AutoQuantize", id="auto"),
        pytest.param(
            {"quantize": AutoQuantize(samples=[], max_error=1), "official_codes": True},
            "official_codes belongs to",
            id="official-codes",
        ),
        pytest.param({"quantize": {"int8": ("*",)}}, "quantize names 'int8'; expected one of float16", id="quantize"),
        pytest.param(
            {"quantize": 8},
            "quantize is 8; expected one of float16, uint8, uint16, a dict or an AutoQuantize",
            id="number",
        ),
        pytest.param({"metadata": [1]}, r"metadata is \[1\]; expected a mapping", id="list-as-metadata"),
        pytest.param({"metadata": {"a": float("nan")}}, "metadata cannot be written as JSON", id="nan-in-metadata"),
        pytest.param({"metadata": {"a": object()}}, "metadata cannot be written as JSON", id="object-in-metadata"),
    ],
)
def test_conversion_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvertOptions(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"backends": ("wasm", "gpu")}, "backend 'gpu' does not exist; expected one of webgpu", id="backend"
        ),
        pytest.param({"runs": 100_001}, "runs is 100001; expected 1 to 100000", id="many-runs"),
        pytest.param({"runs": 2.5}, "runs is 2.5; expected 1 to 100000", id="half-a-run"),
        pytest.param({"runs": 0}, "runs is 0; expected 1 to 100000", id="runs"),
        pytest.param({"warmup": -1}, "warmup is -1; expected 'auto' or a whole number", id="warmup"),
        pytest.param({"batch": (1, 0)}, "batch is 0; expected a whole number of examples from 1", id="batch"),
        pytest.param({"batch": (2.5,)}, "batch is 2.5; expected a whole number", id="half-an-example"),
        pytest.param({"tolerance": -1.0}, "tolerance is -1.0; expected a relative error from 0", id="tolerance"),
        pytest.param({"tolerance": float("nan")}, "tolerance is nan", id="no-tolerance"),
        pytest.param({"tolerance": "0.1"}, "tolerance is '0.1'", id="tolerance-as-text"),
        pytest.param({"backends": 3}, "backends is 3; expected a list", id="backends"),
        pytest.param({"browser": 3}, "browser is '3'; expected one of chrome", id="browser"),
    ],
)
def test_benchmark_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BenchmarkOptions(**options)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param("uint8", {"uint8": ("*",)}, id="dtype"),
        pytest.param({"uint8": "a*"}, {"uint8": ("a*",)}, id="one-pattern"),
        pytest.param({"uint8": ["a", "b"], "float16": ("c",)}, {"uint8": ("a", "b"), "float16": ("c",)}, id="lists"),
    ],
)
def test_patterns(given: Any, expected: dict[str, tuple[str, ...]]) -> None:
    assert ConvertOptions(quantize=given).quantize == expected


def test_progress_is_told_the_step_and_does_not_count_for_equality() -> None:
    steps: list[str] = []
    options = ConvertOptions(progress=steps.append)
    options.step("trace")
    ConvertOptions().step("nobody listens")
    assert steps == ["trace"]
    assert options == ConvertOptions()


def test_metadata_is_a_snapshot() -> None:
    given = {"labels": ["a"]}
    options = ConvertOptions(metadata=given)
    given["labels"].append("b")
    assert options.metadata == {"labels": ["a"]}


@pytest.mark.parametrize("url", ["ftp://name:secret@grid:4444", "ftp://name:sec/r@et@grid:4444"])
def test_a_password_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="browser is 'ftp://grid:4444'; expected one of"):
        BenchmarkOptions(browser=url)
