"""Where the time goes, as the user gets it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.reports import PROFILE, ROW
from tests.bench.test_result import EVIL, snapshot_with
from tfjs_magic.bench.profile import SHOWN_ROWS, Profile
from tfjs_magic.bench.static_output import static_html

MUL = {**ROW, "node": "scale/mul", "layer": "scale", "kernel": "Multiply", "order": 1, "ms": 0.25, "calls": 2}
ADD = {**MUL, "node": "scale/add", "kernel": "Add", "order": 0, "ms": 0.5}
CONV = {**ROW, "order": 2}


def taken(*rows: Any, **changes: Any) -> Profile:
    wire: Any = {**PROFILE, "rows": list(rows), **changes}
    return Profile.from_wire("m", "wasm", wire, median_ms=2.0)


def test_shares_are_of_the_time_in_kernels_and_add_up() -> None:
    profile = taken(CONV, ADD, MUL)
    assert profile.kernel_ms == 2.5
    assert [row["share"] for row in profile.rows] == [0.6, 0.2, 0.1]
    assert [row["cumulative_share"] for row in profile.rows] == pytest.approx([0.6, 0.8, 0.9])


def test_the_data_frame_has_every_row() -> None:
    pytest.importorskip("pandas")
    frame = taken(CONV, ADD).to_dataframe()
    assert frame.kernel.tolist() == ["Conv2D", "Add"]
    assert frame.layer.tolist() == ["conv", "scale"]
    assert frame.ms.tolist() == [1.5, 0.5]


def test_the_trace_lays_kernels_out_in_their_order_under_their_layers(tmp_path: Path) -> None:
    path = taken(CONV, ADD, MUL).to_chrome_trace(tmp_path / "trace.json")
    events = json.loads(path.read_text())["traceEvents"]
    spans = [(e["name"], e["tid"], e["ts"], e["dur"]) for e in events if e["ph"] == "X"]
    assert [span for span in spans if span[1] == 2] == [
        ("Add", 2, 0, 500),
        ("Multiply", 2, 500, 250),
        ("Conv2D", 2, 750, 1500),
    ]
    assert [span for span in spans if span[1] == 1] == [("scale", 1, 0, 750), ("conv", 1, 750, 1500)]
    assert events[0]["args"] == {"name": "m, wasm"}


def test_text_and_html_show_the_longest_rows_the_total_and_how_it_was_taken() -> None:
    profile = taken(*[{**CONV, "ms": 1.0}] * (SHOWN_ROWS + 5))
    lines = repr(profile).splitlines()
    assert lines[0].split("  ")[0] == "kernel"
    assert lines[0].endswith("layer")
    assert len(lines) == 1 + SHOWN_ROWS + 3
    assert lines[-3:] == [
        "7 more take 5.25 ms.",
        (
            "Kernels take 25.2 ms of a profiled run of 2.5 ms; without the profiler a run takes 2.25 ms; "
            "the benchmark's median is 2 ms."
        ),
        "How it was taken.",
    ]
    assert profile._repr_html_().count("<tr>") == 1 + SHOWN_ROWS


def test_a_graphs_nodes_stand_beside_their_layers() -> None:
    lines = repr(taken({**CONV, "node": "m/conv_1/Relu"}, {**CONV, "node": "y", "layer": ""})).splitlines()
    assert [line.split()[-2:] for line in lines[:3]] == [["layer", "node"], ["conv", "m/conv_1/Relu"], ["–", "y"]]


def test_where_nothing_was_timed_it_says_why() -> None:
    profile = taken(runs=0, more_rows=0, more_ms=0, note="No timer.")
    assert (repr(profile), profile._repr_html_()) == ("No timer.", "<p>No timer.</p>")


def test_names_from_the_model_stay_text_also_in_the_saved_notebook() -> None:
    snapshot = snapshot_with([1.0] * 10)
    hostile: Any = {**PROFILE, "rows": [{**CONV, "node": EVIL, "kernel": EVIL}], "note": EVIL}
    snapshot["jobs"][0]["profile"] = hostile
    html = static_html("w", snapshot, None)
    assert html.count("<table>") == 2
    assert "<img" not in html
    assert html.count("&lt;img src=x") >= 3
