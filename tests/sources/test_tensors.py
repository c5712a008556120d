"""What every kind of source asks of tensors and variables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfjs_magic.artifacts import TensorInfo
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.sources.tensors import change_detector, chosen_signature, kept_outputs, op_name, tensor_info


def _read(variable: Any) -> Any:
    return variable.value


def _variable(value: Any, name: str = "w") -> Any:
    return SimpleNamespace(name=name, value=np.asarray(value))


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        pytest.param([1.0, 2.0], [1.0, 2.0], False, id="same"),
        pytest.param([1.0, 2.0], [1.0, 2.5], True, id="another"),
        pytest.param([np.nan, 2.0], [np.nan, 2.0], False, id="nan"),
        pytest.param([np.nan, 2.0], [1.0, 2.0], True, id="nan-became-a-number"),
        pytest.param(np.array([np.nan + 1j]), np.array([np.nan + 1j]), False, id="complex-nan"),
        pytest.param([3], [4], True, id="integers"),
        pytest.param([b"a"], [b"a"], False, id="text"),
        pytest.param([1.0], [1.0, 1.0], True, id="another-shape"),
    ],
)
def test_changed_weights(before: Any, after: Any, *, changed: bool) -> None:
    variable = _variable(before)
    detect = change_detector([variable], _read)
    assert not detect()
    variable.value = np.asarray(after)
    assert detect() is changed


@pytest.mark.parametrize("name", ["seed_generator_state", "dropout/seed_generator_state:0"])
def test_random_states_may_change(name: str) -> None:
    variable = _variable([1], name)
    detect = change_detector([variable], _read)
    variable.value = np.asarray([2])
    assert not detect()


@pytest.mark.parametrize(
    ("signatures", "wanted", "chosen"),
    [
        (["serving_default", "other"], None, "serving_default"),
        (["default", "other"], None, "default"),
        (["only"], None, "only"),
        (["a", "b"], "b", "b"),
    ],
)
def test_signature(signatures: list[str], wanted: str | None, chosen: str) -> None:
    assert chosen_signature("The SavedModel", signatures, wanted) == chosen


@pytest.mark.parametrize(
    ("signatures", "wanted", "message"),
    [
        (["a", "b"], None, "The SavedModel has no signature 'serving_default'; it has 'a', 'b'. Name one"),
        (["a"], "c", "no signature 'c'; it has 'a'"),
        ([], None, "no signature 'serving_default'; it has none"),
    ],
)
def test_signature_that_is_not_there(signatures: list[str], wanted: str | None, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        chosen_signature("The SavedModel", signatures, wanted)


def test_outputs_in_the_order_asked_for() -> None:
    assert kept_outputs("It", ["a", "b", "c"], None) == (0, 1, 2)
    assert kept_outputs("It", ["a", "b", "c"], ["c:0", "a"]) == (2, 0)
    for wanted in (["d"], ["a", "a:0"], []):
        with pytest.raises(UnsupportedModelError):
            kept_outputs("It", ["a", "b", "c"], wanted)


def test_dtypes() -> None:
    assert tensor_info("x", tf.TensorSpec([None, 2], tf.int64), "It").dtype == "int32"
    assert tensor_info("x", tf.TensorSpec(None, tf.string), "It") == TensorInfo("x", "string", None)
    for dtype in (tf.resource, tf.variant, tf.qint8):
        with pytest.raises(UnsupportedModelError, match=f"Tensor 'x' of It has dtype {dtype.name}; TensorFlow.js has"):
            tensor_info("x", tf.TensorSpec([], dtype), "It")


@pytest.mark.parametrize(("name", "op"), [("a b/c", "a_b_c"), ("_._x", "x"), ("é", "input"), ("", "input")])
def test_op_names(name: str, op: str) -> None:
    assert op_name(name) == op
