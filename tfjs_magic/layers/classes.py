"""Which layers a TF.js layers model is made of."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any


def layer_classes(topology: Mapping[str, Any]) -> dict[str, int]:
    """Count how often a layer of each class is called, most frequent first; nested models are entered.

    Args:
        topology: ``modelTopology``, or a container's entry in it.
    """
    counts: collections.Counter[str] = collections.Counter()
    config = topology.get("model_config", topology)["config"]
    for entry in config if isinstance(config, list) else config["layers"]:
        calls = len(entry.get("inbound_nodes") or ()) or 1
        inner = entry["config"]
        if isinstance(inner, list) or "layers" in inner:
            counts.update({name: count * calls for name, count in layer_classes(entry).items()})
        elif entry["class_name"] != "InputLayer":
            counts[entry["class_name"]] += calls
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
