"""What the table in docs/ says of every case holds: as many are exact, and no other is refused."""

from __future__ import annotations

import pytest

from tests.conformance.node import TfjsNode
from tests.sweep import expressions, keras_layers
from tests.sweep.groups import GROUPS, chosen, of_rows, updated
from tests.sweep.subject import TRIED, Case, Outcome, State, outcome
from tests.sweep.table import TABLE, committed, page, rows
from tfjs_magic.options import Backend

EXACT: dict[Backend, State] = dict.fromkeys(TRIED, "exact")
REFUSED = Outcome("refused", "Why.")
ROWS = [pytest.param(title, *row, id=f"{title}: {row[0]}") for title in GROUPS for row in of_rows(title).items()]


@pytest.mark.slow
@pytest.mark.timeout(900)  # some classes have sixty cases
@pytest.mark.filterwarnings("ignore")  # Keras warns of many an option
@pytest.mark.parametrize(("title", "key", "cases"), ROWS)
def test_the_table_says_what_becomes_of_every_case(
    tfjs_node: TfjsNode, title: str, key: str, cases: list[Case]
) -> None:
    """What was exact stays so. If more is exact now, ``python -m tests.sweep WORD --write`` writes the row again."""
    seen: set[str] = set()
    outcomes = {case.name: outcome(case, tfjs_node, seen=seen) for case in cases}
    assert [f"{name}: {result.detail}" for name, result in outcomes.items() if result.kind == "wrong"] == []
    assert rows(title, outcomes) == {key: committed()[title].get(key)}


def test_the_table_has_a_row_for_every_case_and_no_other() -> None:
    """``python -m tests.sweep WORD --write`` writes one that is missing."""
    keys = {title: list(of_rows(title)) for title in GROUPS}
    assert {title: list(section) for title, section in committed().items()} == keys


def test_the_table_is_as_it_is_written() -> None:
    assert TABLE.read_text(encoding="utf-8") == page(committed())


def test_every_parameter_is_tried_or_named() -> None:
    """A parameter that a new Keras brings gets a row in one of the tables of keras_layers.py."""
    untried = {c.__name__: found for c in keras_layers.layer_classes() if (found := keras_layers.untried(c))}
    assert untried == {}


def test_names_are_unique() -> None:
    for cases in GROUPS.values():
        names = [case.name for case in cases()]
        assert len(set(names)) == len(names)


def test_words_choose_cases_and_to_write_all_of_their_rows() -> None:
    title = "Layers of Keras"
    assert [case.name for case in chosen(title, ["Dropout() masked"], whole_rows=False)] == [
        "AlphaDropout() masked",
        "Dropout() masked",
        "GaussianDropout() masked",
    ]
    names = [case.name for case in chosen(title, ["Softmax() masked"], whole_rows=True)]
    assert names == [case.name for case in of_rows(title)["Softmax"]]


def test_only_the_rows_that_ran_change_and_none_with_a_wrong_case() -> None:
    table = committed()
    layers, functions = "Layers of Keras", "Functions and SavedModels"
    found = {
        layers: {"ELU()": Outcome("exact", "", EXACT), "ELU(alpha=0.3)": REFUSED, "Add()": Outcome("wrong")},
        functions: {"cond": Outcome("exact", "", EXACT, asynchronous=True)},
    }
    new = updated(table, found)
    reason = "`(alpha=0.3)`: Why."
    assert new[layers].pop("ELU") == f"| ELU | 2 | 1 of 2 | 1 of 2 | 1 of 2 | 1 of 2 | {reason} |"
    del table[layers]["ELU"]
    assert new == table


def test_a_gpu_is_excused_for_what_the_report_names_and_for_infinities(tfjs_node: TfjsNode) -> None:
    """And for nothing else: the same case has to be exact with other values."""
    digits = outcome(expressions.case("x + 1", dtype="int32"), tfjs_node)
    assert digits.backends == {**EXACT, "webgl": "reported", "webgpu": "reported"}
    assert "beyond 2^24" in digits.detail
    twice = outcome(expressions.case("tf.tensor_scatter_nd_update(vector, rows[:, None], weight[:3])"), tfjs_node)
    assert twice.backends == {**EXACT, "webgl": "reported"}
    odd = outcome(expressions.case("keras.ops.nancumprod(special, axis=2)"), tfjs_node)
    assert {*odd.backends.values()} == {"exact", "finite"}
