"""Every case of the sweep is exact or refused; the table in docs/ lists what there is."""

from __future__ import annotations

import pytest

from tests.conformance.node import TfjsNode
from tests.sweep import applications, functions, keras_layers
from tests.sweep.groups import GROUPS
from tests.sweep.subject import Case, outcome
from tests.sweep.table import TABLE

CASES = [pytest.param(case, id=f"{title}: {case.name}") for title, cases in GROUPS.items() for case in cases()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Keras warns of many an option
@pytest.mark.parametrize("case", CASES)
def test_exact_or_refused(tfjs_node: TfjsNode, case: Case) -> None:
    result = outcome(case, tfjs_node)
    assert result.kind != "wrong", result.detail


def test_every_parameter_is_tried_or_named() -> None:
    """A parameter that a new Keras brings gets a row in one of the tables of keras_layers.py."""
    untried = {c.__name__: found for c in keras_layers.layer_classes() if (found := keras_layers.untried(c))}
    assert untried == {}


def test_the_table_lists_every_case() -> None:
    """Run ``python -m tests.sweep`` after a change."""
    text = TABLE.read_text(encoding="utf-8")
    assert " wrong." in text
    assert text.count(" 0 wrong.") == len(GROUPS)
    for layer_class in keras_layers.layer_classes():
        assert f"| {layer_class.__name__} |" in text
    names = [case.name for cases in (applications.cases(), functions.cases()) for case in cases]
    assert sum(f"| {name.replace('|', chr(92) + '|')} |" in text for name in names) > 0.7 * len(names)


def test_names_are_unique() -> None:
    for cases in GROUPS.values():
        names = [case.name for case in cases()]
        assert len(set(names)) == len(names)
