"""A result as JSON: what is written is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bench.reports import DIVERGENCE, PROFILE
from tests.bench.test_result import ENVIRONMENT, EVIL, snapshot_with
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
        job["profile"] = draw(st.sampled_from([None, PROFILE]))
        job["divergence"] = draw(st.sampled_from([None, DIVERGENCE]))
    return BenchmarkResult.from_snapshot(snapshot)


@given(_results(), st.sampled_from([None, 2]))
@settings(deadline=None)
def test_what_is_written_is_read_exactly(result: BenchmarkResult, indent: int | None) -> None:
    text = result.to_json(indent=indent)
    again = BenchmarkResult.from_json(text)
    assert again == result
    assert again.to_json(indent=indent) == text
    assert again.to_html() == result.to_html()


def _with_findings(*, complete: bool = True) -> BenchmarkResult:
    snapshot = snapshot_with([1.0] * 7, [2.0] * 7)
    snapshot["jobs"][0]["profile"] = {**PROFILE, "rows": [{**PROFILE["rows"][0], "node": EVIL}]}  # type: ignore[index, typeddict-item]
    snapshot["jobs"][1]["divergence"] = {**DIVERGENCE, "complete": complete}  # type: ignore[typeddict-item]
    return BenchmarkResult.from_snapshot(snapshot)


def test_profile_and_divergence_are_written_read_and_shown() -> None:
    result = _with_findings()
    again = BenchmarkResult.from_json(result.to_json())
    ((profile,), (divergence,)) = again.profiles, again.divergences
    assert (profile, divergence) == (result.profiles[0], result.divergences[0])
    assert (profile.backend, profile.rows[0]["share"], profile.median_ms) == ("wasm", 1.5 / 1.75, 1.0)
    assert (divergence.backend, divergence.first, divergence.rows[1]["max_rel_error"]) == ("auto", "conv", 0.25)
    page = again.to_html()
    assert page == result.to_html()
    assert all(text in page for text in ("time per kernel", "How it was taken.", "&#x27;conv&#x27; is the first layer"))
    assert EVIL not in page


def test_a_search_that_has_not_ended_is_not_written() -> None:
    assert _with_findings(complete=False).divergences == ()


def test_a_file_from_before_there_were_profiles_in_it_is_read() -> None:
    result = _with_findings()
    content = json.loads(result.to_json())
    del content["profiles"], content["divergences"]
    old = BenchmarkResult.from_json(json.dumps(content))
    assert (old.runs, old.profiles, old.divergences) == (result.runs, (), ())


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
        pytest.param(_changed(profiles=[{}]), r"profiles\[0\] of the text lacks 'backend', 'median_ms'", id="profile"),
        pytest.param(
            _changed(
                divergences=[
                    {**dict.fromkeys(("model", "backend", "first", "sentence"), ""), **DIVERGENCE, "rows": [1]}
                ]
            ),
            r"divergences\[0\].rows\[0\] of the text is a int",
            id="layer",
        ),
        pytest.param(_changed(warnings=[1]), r"has warnings that are no text", id="warnings"),
        pytest.param(_changed(status=float("nan")), r"no JSON \(NaN is no number", id="nan"),
        pytest.param('{"a": 1e999}', r"no JSON \(1e999 is no number", id="infinite"),
        pytest.param('{"a": ' + "9" * 400 + "}", r"no JSON \(9+ is no number", id="huge"),
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
    complete = _with_findings()
    content = json.loads(complete.to_json())
    for name, fields in result_file._ROWS.items():
        content[name] = [{key: row[key] for key in fields} for row in content[name]]
    for name, fields in result_file._INNER_ROWS.items():
        for row in content[name]:
            row["rows"] = [{key: inner[key] for key in fields} for inner in row["rows"]]
    content["environment"] = {key: content["environment"][key] for key in result_file._ENVIRONMENT}
    result = BenchmarkResult.from_json(json.dumps(content))
    assert repr(result) == repr(complete)
    assert result.to_html() == complete.to_html()
    assert compare(result, result).rows
    assert BenchmarkResult.from_json(result.to_json()) == result


def test_what_a_later_writer_of_the_same_version_adds_stays() -> None:
    content = json.loads(_changed())
    content["summary"][0]["peak_bytes"] = 7
    assert BenchmarkResult.from_json(json.dumps(content)).summary[0]["peak_bytes"] == 7
