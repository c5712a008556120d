"""``convert --verify``: options that are wrong are found before anything is converted, and what each verdict means."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from tests.conformance.node import missing_for_node
from tests.headless.small import lonely_model, small_model, wrong_model
from tfjs_magic.commands.verify import verify, verify_options
from tfjs_magic.errors import OptionError, RunError

needs_node = pytest.mark.skipif(missing_for_node() is not None, reason=missing_for_node() or "")


def _options(**given: Any) -> dict[str, Any] | None:
    named = {"verify": None, "browser": None, "backends": None, "tolerance": None, "samples": None, **given}
    return verify_options(argparse.Namespace(**named))


def test_nothing_is_verified_unless_asked() -> None:
    assert _options() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"browser": "chrome"}, "--browser belongs to --verify"),
        ({"tolerance": 0.1}, "--tolerance belongs to --verify"),
        ({"verify": "browser", "browser": "fox"}, "browser is 'fox'"),
        ({"verify": "browser", "tolerance": -1.0}, "tolerance is -1.0"),
        ({"verify": "node", "browser": "chrome"}, "runs in no browser"),
        ({"verify": "node", "backends": ("webgl",)}, "has no webgl; expected one of wasm, cpu"),
    ],
)
def test_mistakes(given: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        _options(**given)


@needs_node
def test_a_model_that_is_right_passes() -> None:
    options = _options(verify="node")
    assert options is not None
    assert verify(small_model(), options) == []


@needs_node
def test_a_difference_is_named_with_its_bound() -> None:
    options = _options(verify="node", tolerance=0.0, backends=("cpu",))
    assert options is not None
    with pytest.raises(RunError, match=r"verification on cpu failed: output 'y' differs by .* allowed is 0"):
        verify(wrong_model(), options)


@needs_node
def test_without_a_reference_nothing_is_verified() -> None:
    options = _options(verify="node", backends=("cpu",))
    assert options is not None
    with pytest.raises(RunError, match="verification on cpu failed: "):
        verify(lonely_model(), options)


@needs_node
def test_of_quantized_weights_the_error_is_said() -> None:
    options = _options(verify="node", backends=("cpu",))
    assert options is not None
    (note,) = verify(small_model("uint8"), options)
    assert note.startswith("cpu: output 'y' differs by ")
    assert note.endswith("--tolerance sets a bound.")
