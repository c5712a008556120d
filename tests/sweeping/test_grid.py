"""Which rows a sweep has."""

from __future__ import annotations

import pytest

from tfjs_magic import OptionError
from tfjs_magic.sweeping.grid import option_sets


def test_nothing_is_one_set() -> None:
    assert option_sets(None) == [{}]


def test_lists_are_combined_in_order() -> None:
    assert option_sets({"format": ["layers", "graph"], "quantize": [None, "uint8"]}) == [
        {"format": "layers", "quantize": None},
        {"format": "layers", "quantize": "uint8"},
        {"format": "graph", "quantize": None},
        {"format": "graph", "quantize": "uint8"},
    ]


def test_a_value_without_a_list_stands_alone() -> None:
    assert option_sets({"format": "graph", "quantize": ["uint8"]}) == [{"format": "graph", "quantize": "uint8"}]


def test_sets_are_taken_as_they_are() -> None:
    assert option_sets([{}, {"outputs": ["a", "b"]}]) == [{}, {"outputs": ["a", "b"]}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantise": ["uint8"]}, "options names 'quantise', which convert does not have; did you mean 'quantize'?"),
        ({"progress": [print]}, "options names 'progress', which convert does not have"),
        ({"quantize": ["uint4"]}, "quantize names 'uint4'"),
        ({"quantize": []}, "options has no set"),
        ([], "options has no set"),
        ("uint8", "options is 'uint8'; expected option → list of values"),
    ],
)
def test_what_convert_does_not_take_is_refused(options: object, message: str) -> None:
    with pytest.raises(OptionError, match=f"^{message.replace('?', '.')}"):
        option_sets(options)
