"""Weights become bytes end to end, cut into shards, and come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.conformance.compare import assert_matches
from tests.conformance.node import TfjsNode
from tests.graph_text import BACKENDS, parse_graph, tfjs_model
from tfjs_magic.artifacts import Array, WeightEntry
from tfjs_magic.errors import WeightError
from tfjs_magic.weights.pack import pack_weights, split_by_layer, unpack_groups, unpack_weights

INT32 = np.iinfo(np.int32)
DTYPES = st.sampled_from([np.float32, np.float64, np.float16, np.int32, np.int64, np.uint8, np.bool_, np.complex64])


def _elements(dtype: np.dtype[np.generic]) -> st.SearchStrategy[object] | None:
    if dtype == np.int64:
        return st.integers(INT32.min, INT32.max)
    return st.floats(-1e30, 1e30) if dtype == np.float64 else None


NUMBERS = DTYPES.map(np.dtype).flatmap(
    lambda dtype: npst.arrays(
        dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=_elements(dtype)
    )
)
STRINGS = st.lists(st.binary(max_size=9), max_size=4).map(lambda items: np.array([*items, None], object)[:-1])


@given(arrays=st.lists(NUMBERS | STRINGS, max_size=5), shard_size=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_what_is_packed_is_unpacked(arrays: list[Array], shard_size: int) -> None:
    entries = [WeightEntry(f"w{i}", array) for i, array in enumerate(arrays)]
    group = pack_weights(entries, shard_size_bytes=shard_size)
    for entry, back in zip(entries, unpack_weights(group), strict=True):
        kinds = {"f": "float32", "i": "int32", "u": "int32", "b": "bool", "c": "complex64", "O": "object"}
        with np.errstate(all="ignore"):
            expected = entry.data.astype(kinds[entry.data.dtype.kind])
        assert (back.name, back.data.shape, back.data.dtype) == (entry.name, entry.data.shape, expected.dtype)
        assert np.array_equal(back.data, expected, equal_nan=expected.dtype.kind in "fc")
    shards = [b"".join(pieces) for _, pieces in group.shards()]
    assert b"".join(shards) == b"".join(bytes(part) for part in group.parts)
    assert [len(shard) for shard in shards[:-1]] == [shard_size] * (len(shards) - 1)
    assert len(shards) == len(group.shard_names)


@given(offset=st.integers(0, 60), length=st.integers(0, 60))
@settings(max_examples=100, deadline=None)
def test_any_slice_is_that_of_the_bytes(offset: int, length: int) -> None:
    entries = [
        WeightEntry(name, np.arange(n, dtype=np.uint8).astype(bool)) for name, n in (("a", 3), ("b", 0), ("c", 40))
    ]
    group = pack_weights(entries)
    whole = b"".join(bytes(part) for part in group.parts)
    assert b"".join(group.slices(offset, length)) == whole[offset : offset + length]


def test_names_of_shards() -> None:
    group = pack_weights([WeightEntry("w", np.zeros(10, np.float32))], shard_size_bytes=16)
    assert group.to_json() == {
        "paths": ["group1-shard1of3.bin", "group1-shard2of3.bin", "group1-shard3of3.bin"],
        "weights": [{"name": "w", "shape": [10], "dtype": "float32"}],
    }
    assert pack_weights([]).shard_names == ()
    assert pack_weights([WeightEntry("w", np.zeros(0, np.float32))]).shard_names == ()


def test_float32_is_not_copied() -> None:
    data = np.zeros((100, 3), np.float32)
    (part,) = pack_weights([WeightEntry("w", data)]).parts
    assert np.shares_memory(np.frombuffer(part, np.uint8), data)


def test_a_transposed_view_is_written_in_its_own_order() -> None:
    data = np.arange(6, dtype=np.float32).reshape(2, 3).T
    (back,) = unpack_weights(pack_weights([WeightEntry("w", data)]))
    assert np.array_equal(back.data, data)


def test_a_big_endian_weight_is_written_little_endian() -> None:
    data = np.array([1, -2], ">f4")
    (part,) = pack_weights([WeightEntry("w", data)]).parts
    assert bytes(part) == data.astype("<f4").tobytes()


@pytest.mark.parametrize("dtype", [np.int64, np.uint32, np.uint64])
def test_integers_that_fit_become_int32(dtype: type[np.generic]) -> None:
    group = pack_weights([WeightEntry("w", np.array([0, INT32.max], dtype))])
    assert group.specs[0].dtype == "int32"
    assert next(unpack_weights(group)).data.tolist() == [0, INT32.max]


@pytest.mark.parametrize("value", [INT32.max + 1, INT32.min - 1, np.iinfo(np.int64).max])
def test_integers_that_do_not_fit_are_refused(value: int) -> None:
    with pytest.raises(WeightError, match=rf"Weight 'ids' \(int64\) holds values from .*{abs(value)}.* has int32 only"):
        pack_weights([WeightEntry("ids", np.array([0, value]))])


def test_numbers_beyond_float32_are_refused() -> None:
    """An infinity in their place would make NaN where a mask hides something."""
    with pytest.raises(WeightError, match=r"Weight 'mask' \(float64\) holds values beyond ±3.4e38"):
        pack_weights([WeightEntry("mask", np.array([0, -1e300]))])


def test_a_dtype_without_form_is_refused() -> None:
    with pytest.raises(WeightError, match=r"Weight 't' has dtype datetime64\[s\]; TensorFlow.js stores float32"):
        pack_weights([WeightEntry("t", np.zeros(2, "datetime64[s]"))])


def test_a_name_that_comes_twice_is_refused() -> None:
    entries = [WeightEntry(name, np.zeros(1, np.float32)) for name in ("b", "a", "b", "a")]
    with pytest.raises(WeightError, match="Several weights are called 'a', 'b'"):
        pack_weights(entries)


def test_text_is_stored_as_utf8() -> None:
    group = pack_weights([WeightEntry("w", np.array([["ä", ""]]))])
    assert bytes(group.parts[0]) == b"\x02\0\0\0\xc3\xa4\0\0\0\0"
    assert group.specs[0].shape == (1, 2)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(np.array(3, np.int64), id="scalar"),
        pytest.param(np.zeros((0, 3), np.float32), id="empty"),
        pytest.param(np.array([[True], [False]]), id="bool"),
        pytest.param(np.array([b"a", b"", "ä\0b".encode()], object), id="strings"),
        pytest.param(np.array([2**31 - 1, -(2**31)]), id="int64"),
        pytest.param(np.array([0.1, 1e30, -np.inf, np.nan]), id="float64"),
        pytest.param(np.array([1 + 2j], np.complex64), id="complex"),
    ],
)
def test_tfjs_reads_every_dtype(tfjs_node: TfjsNode, value: Array) -> None:
    """Between two others, from shards of 64 bytes that cut through them."""
    filler = np.arange(13, dtype=np.float32)
    graph = parse_graph(
        "a = Identity(first)\nb = Identity(value)\nc = Identity(last)\nreturn a, b, c",
        {"first": filler, "value": value, "last": -filler},
    )
    expected = value.astype(np.float32) if value.dtype == np.float64 else value
    for backend in BACKENDS[: 1 if value.dtype.kind == "c" else 2]:
        result = tfjs_node.run(tfjs_model(graph), {}, backend)
        assert_matches(result, {"a": filler, "b": expected, "c": -filler}, tolerance=0)


def test_one_group_per_layer() -> None:
    names = ["a/kernel", "b/kernel", "a/cell/bias", "c"]
    entries = [WeightEntry(name, np.full(3, i, np.float32)) for i, name in enumerate(names)]
    groups = split_by_layer([pack_weights(entries, shard_size_bytes=8)])
    assert [[spec.name for spec in group.specs] for group in groups] == [
        ["a/kernel", "a/cell/bias"],
        ["b/kernel"],
        ["c"],
    ]
    assert [group.index for group in groups] == [1, 2, 3]
    assert {entry.name: entry.data[0] for entry in unpack_groups(groups)} == dict(zip(names, range(4), strict=True))
