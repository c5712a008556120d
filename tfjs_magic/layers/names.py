"""Layer names for tfjs: valid, and unique over the whole model.

tfjs names a weight by its leaf layer alone, so two nested models must not hold layers of the same name.

Source: tfjs-layers 4.22 ``dist/common.js`` (``isValidTensorName``), ``dist/engine/container.js`` (``loadWeights``).
"""

from __future__ import annotations

import re

from tfjs_magic.layers.functional import MappedModel

_VALID = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._/]*")
_INVALID_CHARACTER = re.compile(r"[^-A-Za-z0-9._/]")


class LayerNames:
    """tfjs's name of every layer of a model and its nested models.

    Attributes:
        renamed: The user's name → tfjs's, where they differ.
    """

    def __init__(self, root: MappedModel) -> None:
        self.renamed: list[tuple[str, str]] = []
        self._names: dict[tuple[int, int], str] = {}
        self._taken: set[str] = set()
        places = [(model, layer) for model in root.walk() for layer in model.graph.layers]
        # A name that can stay stays: only then are the others changed around them.
        for model, layer in places:
            if is_valid_name(layer.name) and layer.name not in self._taken:
                self._taken.add(layer.name)
                self._names[id(model), id(layer)] = layer.name
        for model, layer in places:
            if (id(model), id(layer)) not in self._names:
                wish = layer.name if model is root else f"{model.graph.name}_{layer.name}"
                name = self.claim(valid_name(wish))
                self._names[id(model), id(layer)] = name
                self.renamed.append((layer.name, name))

    def of(self, model: MappedModel, layer: object) -> str:
        """Return tfjs's name of a layer of ``model``."""
        return self._names[id(model), id(layer)]

    def claim(self, wish: str) -> str:
        """Take ``wish``, or the first free name made from it, for a layer that Keras has not."""
        name, count = wish, 0
        while name in self._taken:
            count += 1
            name = f"{wish}_{count}"
        self._taken.add(name)
        return name


def is_valid_name(name: str) -> bool:
    """Tell whether tfjs takes a name."""
    return _VALID.fullmatch(name) is not None


def valid_name(name: str) -> str:
    """Return a name that tfjs takes, as like to ``name`` as possible; the same for the same name."""
    name = _INVALID_CHARACTER.sub("_", name)
    return name if is_valid_name(name) else f"layer{name}"
