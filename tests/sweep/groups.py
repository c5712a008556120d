"""The groups of cases, in the order of the table; which of them run, and what they change in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from tests.sweep import applications, functions, keras_layers, keras_ops, tf_functions, tf_raw_ops
from tests.sweep.subject import Case, Outcome
from tests.sweep.table import key_of, rows

GROUPS: Mapping[str, Callable[[], Iterable[Case]]] = {
    "Layers of Keras": keras_layers.cases,
    "Layers of Keras, as layers models": keras_layers.layers_model_cases,
    "Layers at the edges": keras_layers.edge_cases,
    "Layers at the edges, as layers models": keras_layers.layers_model_edge_cases,
    "Models of keras.applications": applications.cases,
    "Functions and SavedModels": functions.cases,
    "Functions of keras.ops": keras_ops.cases,
    "Functions of tf": tf_functions.cases,
    "Functions of tf.raw_ops": tf_raw_ops.cases,
}


def of_rows(title: str) -> dict[str, list[Case]]:
    """Return key → the cases of that row of the table."""
    found: dict[str, list[Case]] = {}
    for case in GROUPS[title]():
        found.setdefault(key_of(title, case.name), []).append(case)
    return found


def chosen(title: str, words: Sequence[str], *, whole_rows: bool) -> list[Case]:
    """Return the cases of a group whose names hold one of the words, or all cases of their rows."""
    found: list[Case] = []
    for cases in of_rows(title).values():
        matching = [case for case in cases if not words or any(word in case.name for word in words)]
        found += cases if matching and whole_rows else matching
    return found


def updated(
    table: Mapping[str, Mapping[str, str]], found: Mapping[str, Mapping[str, Outcome]]
) -> dict[str, dict[str, str]]:
    """Return the table with the rows that were found, in the order of the cases; one with a wrong case stays."""
    sections = {}
    for title in GROUPS:
        outcomes = found.get(title, {})
        wrong = {key_of(title, name) for name, result in outcomes.items() if result.kind == "wrong"}
        new = {key: row for key, row in rows(title, outcomes).items() if key not in wrong}
        known = {**table.get(title, {}), **new}
        sections[title] = {key: known[key] for key in of_rows(title) if key in known}
    return sections
