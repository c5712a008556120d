"""What makes two rows the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfjs_magic import AutoQuantize, convert
from tfjs_magic.sweeping.identity import identity


def _model(bias: float = 0.0) -> Any:
    model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="dense")], name="model")
    model.set_weights([np.arange(6, dtype=np.float32).reshape(3, 2), np.full(2, bias, np.float32)])
    return model


def test_a_model_is_what_its_weights_are() -> None:
    assert identity(_model(), {}, {}) == identity(_model(), {}, {})
    assert identity(_model(), {}, {}) != identity(_model(bias=1), {}, {})
    assert identity(convert(_model()), {}, {}) == identity(convert(_model()), {}, {})
    assert identity(convert(_model()), {}, {}) != identity(convert(_model(bias=1)), {}, {})


def test_a_path_is_what_its_files_are(tmp_path: Path) -> None:
    path = tmp_path / "model"
    absent = identity(path, {}, {})
    path.mkdir()
    (path / "model.json").write_text("{}")
    there = identity(path, {}, {})
    os.utime(path / "model.json", (1, 1))
    touched = identity(str(path), {}, {})
    assert len({absent, there, touched}) == 3
    assert touched == identity(path, {}, {})


def test_options_and_samples_count() -> None:
    kinds = [
        identity("model.keras", options, {"samples": samples})
        for options in ({}, {"quantize": "uint8"}, {"quantize": {"uint8": ["a*"]}})
        for samples in (None, np.zeros(4), np.zeros((2, 2)), np.ones(4), {"x": np.ones(4)}, np.array([b"a"], object))
    ]
    assert None not in kinds
    assert len(set(kinds)) == len(kinds)


def test_of_some_things_nobody_can_tell_whether_they_changed() -> None:
    assert identity(lambda x: x, {}, {}) is None
    metric = AutoQuantize(samples=np.ones(4), metric=lambda *_: 1.0, min_metric=1)
    assert identity("model.keras", {"quantize": metric}, {}) is None
    bound = AutoQuantize(samples=np.ones(4), max_error=0.1)
    assert identity("model.keras", {"quantize": bound}, {}) is not None
