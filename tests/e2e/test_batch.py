"""Several batch sizes, what they take of the memory, and a batch that cannot be changed, in a real browser."""

from __future__ import annotations

import pytest

from tests.e2e.lab import Notebook
from tests.e2e.test_cell import assert_one_line, result_of, run_cell
from tests.e2e.widget import agree


@pytest.mark.parametrize("form", ["layers", "graph"])
def test_each_size_is_compared_and_has_its_examples_per_second(notebook: Notebook, form: str) -> None:
    cell = f"%%tfjs_convert --runs 10 --backend wasm,cpu --batch 1,4 --format {form}\ntests.models.small_cnn()"
    widget = run_cell(notebook, cell)
    result = result_of(notebook)
    agree(widget, result)
    assert [(row["backend"], row["series"]) for row in result["summary"]] == [
        ("wasm", "batch 1"),
        ("wasm", "batch 4"),
        ("cpu", "batch 1"),
        ("cpu", "batch 4"),
    ]
    for row, shown in zip(result["summary"], widget.rows, strict=True):
        assert row["parity"] == "passed"
        assert row["examples_per_s"] == pytest.approx(1000 * row["examples"] / row["median_ms"])
        assert f"{row['backend']}, {row['series']}" in shown["job"]
        assert "examples/s" in shown["Median"]
    assert [row["baseline_backend"] for row in result["comparisons"]] == ["wasm, batch 1", "wasm, batch 4"]


def test_memory_and_transfer(notebook: Notebook) -> None:
    """The larger batch needs more at a time; nothing is left behind."""
    run_cell(
        notebook, "%%tfjs_convert --runs 6 --backend wasm,cpu --batch 1,64 --format graph\ntests.models.small_cnn()"
    )
    small, large, cpu, _ = result_of(notebook)["summary"]
    assert small["model_nbytes"] == large["model_nbytes"] == cpu["model_nbytes"] > 0
    assert large["peak_nbytes"] > 10 * small["peak_nbytes"]
    assert small["peak_nbytes"] > small["model_nbytes"]
    assert {row["leaked_tensors"] for row in (small, large, cpu)} == {0}
    assert (small["wasm_nbytes"] > 2**20, cpu["wasm_nbytes"]) == (True, None)
    assert small["transfer_ms"] == large["transfer_ms"] > 0


def test_a_fixed_batch_is_one_clear_line(notebook: Notebook) -> None:
    fixed = "%tfjs_convert {tests.models.small_cnn()} --input image=2,12,12,1 --no-benchmark -o web"
    notebook.set_cells([fixed, "%tfjs_benchmark web --batch 1,4"])
    notebook.run(0)
    notebook.run_failing(1)
    assert_one_line(notebook, 1, "--batch needs a model whose batch is free", "'image'", "(2, 12, 12, 1)")
