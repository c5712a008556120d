"""Every error is one of ours, says where it arose, and lists names the same way."""

from __future__ import annotations

import pytest

import tfjs_magic
from tfjs_magic import errors


def test_the_tree_is_the_one_that_is_drawn() -> None:
    drawn = [line.split("(")[0] for line in (errors.__doc__ or "").splitlines() if "Error" in line]
    names = {word.strip(" │├└─").split(" ")[0] for word in drawn}
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert names == classes


def test_all_are_public_and_of_one_family() -> None:
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, errors.TfjsMagicError)
            assert getattr(tfjs_magic, name) is value


@pytest.mark.parametrize(
    ("error", "stage", "node"),
    [
        (errors.UnsupportedModelError("m"), "source", None),
        (errors.UnsupportedModelError("m", stage="trace", node="n"), "trace", "n"),
        (errors.WeightError("m", node="w"), "weights", "w"),
        (errors.PassError("m", node="n"), "passes", "n"),
        (errors.UnsupportedOpsError("m", ops={}), "ops", None),
    ],
)
def test_conversion_errors_say_where(error: errors.ConversionError, stage: str, node: str | None) -> None:
    assert (str(error), error.stage, error.node) == ("m", stage, node)


def test_ops_are_sorted() -> None:
    error = errors.UnsupportedOpsError("m", ops={"B": ["y", "x"], "A": ("z",)})
    assert list(error.ops.items()) == [("A", ("z",)), ("B", ("x", "y"))]


def test_a_run_error_carries_what_javascript_said() -> None:
    error = errors.RunError("m", js_name="TypeError", js_stack="at x")
    assert (error.js_name, error.js_stack) == ("TypeError", "at x")
    assert (errors.RunError("m").js_name, errors.RunError("m").js_stack) == ("", "")


def test_lists_of_names_are_quoted_sorted_and_capped() -> None:
    assert errors.quoted_list(["b", "a"]) == "'a', 'b'"
    assert errors.quoted_list([]) == ""
    assert errors.quoted_list(f"{i}" for i in range(10)).endswith("'7' … and 2 more")
