"""Convert cases on another Keras backend, without TensorFlow: ``python -m tests.layers.other_backend FILE [CASE…]``.

FILE gets a pickle: case → (topology as JSON, weight name → array), or the name of what Keras raised on this backend.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any


def results(cases: list[str]) -> dict[str, Any]:
    """Build each case from scratch, fill it with the same numbers and convert it."""
    import keras

    from tests.layers.cases import CASES
    from tests.layers.packing import converted
    from tests.models import randomised

    found: dict[str, Any] = {}
    for case in cases or CASES:
        keras.backend.clear_session()
        try:
            model = randomised(CASES[case]())
        except Exception as error:  # noqa: BLE001 - this backend has no such layer
            found[case] = type(error).__name__
            continue
        result = converted(model)
        weights = {entry.name: entry.data.copy() for entry in result.weights}
        found[case] = (json.dumps(result.topology["model_config"]), weights)
    return found


if __name__ == "__main__":
    sys.modules["tensorflow"] = None  # type: ignore[assignment] # Keras itself imports it where it is installed
    target, *names = sys.argv[1:]
    Path(target).write_bytes(pickle.dumps(results(names)))
