"""Quantized weights are what the formulas say, and TF.js decodes them so."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.conformance.compare import assert_matches
from tests.conformance.handmade import graph_model, node
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS
from tfjs_magic.artifacts import Array, WeightEntry
from tfjs_magic.errors import WeightError
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import QUANTIZATION_DTYPES, QuantizationDtype
from tfjs_magic.weights.pack import pack_weights
from tfjs_magic.weights.quantize import by_channel, dequantize, quantization_of, quantize, squared_error, wider

INTEGERS: tuple[QuantizationDtype, ...] = ("uint8", "uint16")
FINITE = npst.arrays(
    np.float32, npst.array_shapes(max_dims=2, max_side=8), elements=st.floats(-(2.0**99), 2.0**99, width=32)
)


def _uniform(*shape: int) -> Array:
    return np.random.default_rng(0).uniform(-3, 5, shape).astype(np.float32)


@pytest.mark.parametrize("dtype", INTEGERS)
@given(data=FINITE)
@settings(max_examples=200, deadline=None)
def test_every_value_comes_back_within_one_step(dtype: QuantizationDtype, data: Array) -> None:
    """Half a step of rounding, half a step by which the range moves so that 0 is exact, one of float32."""
    stored, quantization = quantize("w", data, dtype, official=True)
    assert stored.dtype == dtype
    assert quantization.scale is not None
    back = dequantize(stored, quantization)
    spread = float(data.max()) - float(data.min())
    step = spread / np.iinfo(dtype).max
    assert np.abs(back.astype(np.float64) - data).max() <= 1.01 * step + 1e-6 * np.abs(data).max()
    zeros = data == 0
    assert np.array_equal(back[zeros], data[zeros])


@given(data=FINITE)
@settings(max_examples=200, deadline=None)
def test_closer_codes_keep_zero_and_are_no_coarser(data: Array) -> None:
    stored, quantization = quantize("w", data, "uint8")
    _, official = quantize("w", data, "uint8", official=True)
    back = dequantize(stored, quantization)
    assert quantization.scale is not None
    assert official.scale is not None
    assert quantization.scale <= official.scale or np.array_equal(back, data)
    assert np.array_equal(back[data == 0], data[data == 0])


@pytest.mark.parametrize("dtype", INTEGERS)
@given(data=FINITE, official=st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_was_decoded_is_stored_bit_for_bit(dtype: QuantizationDtype, data: Array, official: bool) -> None:  # noqa: FBT001
    """Where the codes tell the step: the two ends are used, or nearly, and values differ."""
    decoded = dequantize(*quantize("w", data, dtype, official=official))
    again = dequantize(*quantize("w", decoded, dtype))
    if not np.array_equal(again, decoded):
        stored, quantization = quantize("w", data, dtype, official=official)
        assert quantization.scale is not None
        assert np.unique(stored).size == 1 or int(stored.max()) - int(stored.min()) < np.iinfo(dtype).max - 3
        assert np.abs(again.astype(np.float64) - decoded).max() <= quantization.scale


@pytest.mark.parametrize("shape", [(300, 8), (3, 3, 16, 8), (3, 3, 16, 1)], ids=["matrix", "kernel", "depthwise"])
@pytest.mark.parametrize("shift", [0, 0.3], ids=["centred", "shifted"])
def test_the_errors_of_each_channel_sum_up_to_nothing(shape: tuple[int, ...], shift: float) -> None:
    """To half a step, where no value was clipped; the official codes are off by several steps."""
    data = np.random.default_rng(0).uniform(-1 + shift, 1 + shift, shape).astype(np.float32)

    def sums(*, official: bool) -> Array:
        stored, quantization = quantize("w", data, "uint8", official=official)
        assert quantization.scale is not None
        return (
            np.abs(by_channel(dequantize(stored, quantization).astype(np.float64) - data).sum(0)) / quantization.scale
        )

    assert sums(official=False).max() < 0.51
    assert sums(official=True).max() > 0.51


@pytest.mark.parametrize("draw", ["normal", "laplace", "logistic"])
def test_a_narrower_range_is_taken_where_it_is_closer(draw: str) -> None:
    data = getattr(np.random.default_rng(0), draw)(size=(500, 500)).astype(np.float32)
    ours, official = (dequantize(*quantize("w", data, "uint8", official=official)) for official in (False, True))
    assert squared_error(data, ours) < 0.9 * squared_error(data, official)


def test_balanced_errors_cost_little_where_every_step_is_too_coarse() -> None:
    data = np.random.default_rng(0).standard_cauchy(size=(200, 100)).astype(np.float32)
    ours, official = (dequantize(*quantize("w", data, "uint8", official=official)) for official in (False, True))
    assert squared_error(data, ours) < 1.25 * squared_error(data, official)


def test_an_even_weight_keeps_its_range() -> None:
    data = _uniform(50, 50)
    assert quantize("w", data, "uint8")[1] == quantize("w", data, "uint8", official=True)[1]


def test_kernels_of_uneven_channels_get_two_bytes_first() -> None:
    generator = np.random.default_rng(0)
    spread = 10.0 ** np.linspace(-2, 0, 32)[:, None]
    kernels = {
        "dense": generator.normal(size=(400, 100)).astype(np.float32),
        "depthwise": (generator.normal(size=(3, 3, 32, 1)) * spread).astype(np.float32),
        "first": generator.normal(size=(3, 3, 3, 32)).astype(np.float32),
    }
    assert wider(kernels) == {"depthwise", "first"}
    kernels["dense"] = kernels["dense"][:200]
    assert wider(kernels) == {"depthwise"}, "0.048 of all bytes do not hold both"


def test_wider_kernels_are_those_of_the_bare_star_alone() -> None:
    entries = [WeightEntry("a/kernel", _uniform(100, 100)), WeightEntry("b/kernel", _uniform(4, 4))]

    def dtypes(patterns: dict[QuantizationDtype, tuple[str, ...]], **options: bool) -> list[str | None]:
        group = pack_weights(entries, patterns=patterns, **options)
        return [spec.quantization.dtype if spec.quantization else None for spec in group.specs]

    assert dtypes({"uint8": ("*",)}) == ["uint8", "uint16"]
    assert dtypes({"uint8": ("*", "b/*")}) == ["uint8", "uint8"]
    assert dtypes({"uint8": ("*",)}, official=True) == ["uint8", "uint8"]
    assert dtypes({"uint16": ("*",)}) == ["uint16", "uint16"]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("value", [0.0, -2.5, 1e-30, 3e38])
def test_a_constant_weight_is_exact(dtype: QuantizationDtype, value: float) -> None:
    data = np.full((2, 3), value, np.float32)
    assert np.array_equal(dequantize(*quantize("w", data, dtype)), data)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_whole_range_of_float32_fits(dtype: QuantizationDtype) -> None:
    data = np.array([-3.4e38, 0, 3.4e38], np.float32)
    back = dequantize(*quantize("w", data, dtype))
    assert back[1] == 0
    assert np.allclose(back, data, rtol=1e-2)


@pytest.mark.parametrize("official", [False, True])
def test_what_codes_would_make_infinite_is_refused(official: bool) -> None:  # noqa: FBT001
    data = np.array([-2.9938e38, 0, 3.4e38], np.float32)
    with pytest.raises(WeightError, match="'w' holds values so large that uint8 makes infinity of them"):
        quantize("w", data, "uint8", official=official)
    assert np.isfinite(dequantize(*quantize("w", data / 2, "uint8", official=official))).all()


def test_float16_is_numpys() -> None:
    data = np.array([0.1, -65504, 1e-8], np.float32)
    stored, quantization = quantize("w", data, "float16")
    assert (quantization.scale, quantization.min) == (None, None)
    assert np.array_equal(dequantize(stored, quantization), data.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("dtype", QUANTIZATION_DTYPES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(dtype: QuantizationDtype, value: float) -> None:
    with pytest.raises(WeightError, match=r"Weight 'layer/w' .*not finite") as caught:
        quantize("layer/w", np.array([0, value], np.float32), dtype)
    assert caught.value.node == "layer/w"


def test_values_beyond_float16_are_refused() -> None:
    with pytest.raises(WeightError, match="beyond ±65504, float16's range"):
        quantize("w", np.array([70000], np.float32), "float16")


@pytest.mark.parametrize(
    ("name", "data", "patterns", "expected"),
    [
        pytest.param("d/kernel", _uniform(3, 3), {"uint8": ("*",)}, "uint8", id="matrix"),
        pytest.param("d/bias", _uniform(3), {"uint8": ("*",)}, None, id="vector-by-star"),
        pytest.param("d/bias", _uniform(3), {"uint8": ("d/*",)}, "uint8", id="vector-by-name"),
        pytest.param("d/bias", _uniform(3), {"uint8": ("**",)}, "uint8", id="vector-by-two-stars"),
        pytest.param("d/bias", _uniform(3), {"uint8": ("**",), "float16": ("d/*",)}, "float16", id="name-before-stars"),
        pytest.param("d/kernel", _uniform(3, 3), {"uint8": ("*",), "float16": ("d/*",)}, "float16", id="name-wins"),
        pytest.param("d/kernel", _uniform(3, 3), {"uint8": ("e/*",)}, None, id="no-match"),
        pytest.param("d/kernel", np.zeros((3, 3), np.int32), {"uint8": ("*",)}, None, id="integers"),
        pytest.param("d/kernel", np.zeros((0, 3), np.float32), {"uint8": ("*",)}, None, id="empty"),
        pytest.param("d/const", _uniform(), {"float16": ("**",)}, None, id="number-by-two-stars"),
        pytest.param("d/const", _uniform(), {"uint8": ("d/*",)}, None, id="number-by-name"),
        pytest.param("d/kernel", _uniform(3, 3), {}, None, id="no-patterns"),
    ],
)
def test_which_weights_are_quantized(
    name: str, data: Array, patterns: dict[QuantizationDtype, tuple[str, ...]], expected: str | None
) -> None:
    assert quantization_of(name, data, patterns) == expected


def test_official_codes_take_single_numbers() -> None:
    assert quantization_of("d/const", _uniform(), {"uint8": ("**",)}, official=True) == "uint8"


@pytest.mark.parametrize("globs", [("*",), ("d/*",)])
def test_two_dtypes_for_one_weight_are_refused(globs: tuple[str, ...]) -> None:
    with pytest.raises(WeightError, match=r"Weight 'd/kernel' matches the pattern.* of uint16 and uint8"):
        quantization_of("d/kernel", _uniform(2, 2), {"uint8": globs, "uint16": globs})


def _sum_with(weight: Array, dtype: QuantizationDtype) -> TfjsModel:
    nodes = [node("x", "Placeholder"), node("w", "Const"), node("y", "AddV2", "x", "w")]
    model = graph_model(nodes, {"w": weight}, y="float32")
    group = pack_weights([WeightEntry("w", weight)], patterns={dtype: ("w",)}, shard_size_bytes=5)
    return dataclasses.replace(model, groups=(group,))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", QUANTIZATION_DTYPES)
@pytest.mark.parametrize(
    "weight",
    [
        pytest.param(_uniform(7, 9), id="both-signs"),
        pytest.param(_uniform(7, 9) + 10, id="positive"),
        pytest.param(_uniform(7, 9) - 10, id="negative"),
        pytest.param(np.full((2, 3), -0.3, np.float32), id="constant"),
        pytest.param(_uniform(5) * np.float32(1e-4), id="tiny"),
    ],
)
def test_tfjs_decodes_the_same_values(
    tfjs_node: TfjsNode, weight: Array, dtype: QuantizationDtype, backend: str
) -> None:
    model = _sum_with(weight, dtype)
    result = tfjs_node.run(model, {"x": np.zeros_like(weight)}, backend)  # type: ignore[arg-type]
    assert_matches(result, {"y": model.weights["w"]}, tolerance=0)


def test_a_pattern_that_matches_no_weight_is_refused() -> None:
    entries = [WeightEntry("dense/kernel", np.ones((2, 2), np.float32))]
    with pytest.raises(
        WeightError, match=r"The patterns 'conv\*' match no weight; expected names such as 'dense/kernel'"
    ):
        pack_weights(entries, patterns={"uint8": ("conv*", "*")})
