"""The groups of cases, in the order of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tests.sweep import applications, functions, keras_layers
from tests.sweep.subject import Case

GROUPS: Mapping[str, Callable[[], Iterable[Case]]] = {
    "Layers of Keras": keras_layers.cases,
    "Layers of Keras, as layers models": keras_layers.layers_model_cases,
    "Models of keras.applications": applications.cases,
    "Functions and SavedModels": functions.cases,
}
