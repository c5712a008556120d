"""A result as JSON: what is written is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.test_result import ENVIRONMENT, snapshot_with
from tfjs_magic.bench import result_file
from tfjs_magic.bench.difference import compare
from tfjs_magic.bench.result import BenchmarkResult
from tfjs_magic.errors import OptionError, SaveError

LATENCIES = st.lists(st.floats(0, 1e9), max_size=20)
PARITY = st.none() | st.builds(
    lambda status, note, error: {
        "status": status,
        "note": note,
        "outputs": [
            {
                "output": note,
                "max_abs_error": error,
                "max_rel_error": error,
                "cosine": None,
                "top1_agreement": 1.0,
                "tolerance": 1e-4,
                "passed": False,
            }
        ],
    },
    st.sampled_from(["passed", "failed"]),
    st.text(),
    st.floats(0, allow_infinity=False),
)


@st.composite
def _results(draw: Any) -> BenchmarkResult:
    snapshot = snapshot_with(*draw(st.lists(LATENCIES, min_size=1, max_size=2)))
    snapshot["models"][0]["label"] = draw(st.text())
    snapshot["environment"] = draw(st.sampled_from([None, ENVIRONMENT]))
    for job in snapshot["jobs"]:
        job["parity"] = draw(PARITY)
        job["error"] = draw(st.none() | st.just({"name": "E", "message": draw(st.text()), "stack": ""}))
        job["first_ms"] = draw(st.none() | st.floats(0, 1e9))
    return BenchmarkResult.from_snapshot(snapshot)


@given(_results(), st.sampled_from([None, 2]))
@settings(deadline=None)
def test_what_is_written_is_read_exactly(result: BenchmarkResult, indent: int | None) -> None:
    text = result.to_json(indent=indent)
    again = BenchmarkResult.from_json(text)
    assert again == result
    assert again.to_json(indent=indent) == text
    assert again.to_html() == result.to_html()


def test_a_file_is_written_whole_and_read_by_its_path(tmp_path: Path) -> None:
    result = BenchmarkResult.from_snapshot(snapshot_with([1.0] * 7))
    path = tmp_path / "new" / "today.json"
    text = result.to_json(path)
    assert path.read_text(encoding="utf-8") == text
    result.to_json(path)
    assert BenchmarkResult.from_json(path) == BenchmarkResult.from_json(str(path)) == result
    assert [*path.parent.iterdir()] == [path]
    with pytest.raises(SaveError, match="is a directory; expected the name of a file"):
        result.to_json(tmp_path)
    assert path.exists()


def _changed(**fields: Any) -> str:
    content = json.loads(BenchmarkResult.from_snapshot(snapshot_with([1.0])).to_json())
    return json.dumps({**content, **fields})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("{", r"the text is no JSON \(Expecting", id="no-json"),
        pytest.param("[1]", r"the text is other JSON; expected .*'tfjs_magic.BenchmarkResult', version 1", id="list"),
        pytest.param('{"a": 1}', r"the text is other JSON", id="other-object"),
        pytest.param('{"format": "web"}', r"the text has the format 'web'; expected", id="other-format"),
        pytest.param(_changed(version=2), r"has version 2 of .*reads up to version 1: update tfjs_magic", id="newer"),
        pytest.param(_changed(version="1"), r"the text has the version '1'", id="version"),
        pytest.param(_changed(runs=None), r"the text has None for 'runs'", id="field"),
        pytest.param(_changed(summary=[{}]), r"summary\[0\] of the text lacks 'backend', 'backend_ms'", id="row"),
        pytest.param(_changed(parity=[3]), r"parity\[0\] of the text is a int", id="no-row"),
        pytest.param(_changed(environment={}), r"the environment of the text lacks", id="environment"),
        pytest.param(_changed(warnings=[1]), r"has warnings that are no text", id="warnings"),
        pytest.param(_changed(status=float("nan")), r"no JSON \(NaN is no number", id="nan"),
        pytest.param("[" * 100_000, r"is no JSON", id="deep"),
        pytest.param("nowhere.json", r"'nowhere.json' cannot be read: No such file", id="no-file"),
        pytest.param("a\0b", r"cannot be read: .*null", id="no-name"),
    ],
)
def test_anything_else_is_one_sentence(text: str, found: str) -> None:
    with pytest.raises(OptionError, match=found) as error:
        BenchmarkResult.from_json(text)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_a_latency_that_no_run_has_is_refused() -> None:
    run = {"model": "m", "backend": "cpu", "series": "", "phase": "run", "index": 0, "latency_ms": -1}
    with pytest.raises(OptionError, match="has a latency of -1 ms"):
        BenchmarkResult.from_json(_changed(runs=[run]))


def test_what_is_asked_for_is_all_that_is_read() -> None:
    """A file with nothing else can be shown, compared and written."""
    snapshot = snapshot_with([1.0] * 7, [2.0] * 7)
    content = json.loads(BenchmarkResult.from_snapshot(snapshot).to_json())
    for name, fields in result_file._ROWS.items():
        content[name] = [{key: row[key] for key in fields} for row in content[name]]
    content["environment"] = {key: content["environment"][key] for key in result_file._ENVIRONMENT}
    result = BenchmarkResult.from_json(json.dumps(content))
    assert repr(result) == repr(BenchmarkResult.from_snapshot(snapshot))
    assert result.to_html() == BenchmarkResult.from_snapshot(snapshot).to_html()
    assert compare(result, result).rows
    assert BenchmarkResult.from_json(result.to_json()) == result


def test_what_a_later_writer_of_the_same_version_adds_stays() -> None:
    content = json.loads(_changed())
    content["summary"][0]["peak_bytes"] = 7
    assert BenchmarkResult.from_json(json.dumps(content)).summary[0]["peak_bytes"] == 7
