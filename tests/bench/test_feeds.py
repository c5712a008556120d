"""The inputs that browser and Python both run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tfjs_magic.artifacts import TensorInfo
from tfjs_magic.bench.feeds import MAX_FEEDS, sample_feeds, seeded_feeds, timed_feeds
from tfjs_magic.errors import OptionError

IMAGE = TensorInfo("image", "float32", (None, 8, 8, 3))
TOKENS = TensorInfo("tokens", "int32", (None, 5), upper_bound=100)


def test_seeded_feeds_are_valid_differ_from_each_other_and_repeat() -> None:
    mask = TensorInfo("mask", "bool", (None, 5))
    wave = TensorInfo("wave", "complex64", (2, 5))
    first, second = seeded_feeds([IMAGE, TOKENS, mask, wave], seed=3)
    assert first["image"].shape == (1, 8, 8, 3)
    assert first["image"].dtype == np.float32
    assert first["tokens"].dtype == np.int32
    assert 2 < first["tokens"].max() < 100
    assert first["mask"].dtype == np.bool_
    assert first["wave"].dtype == np.complex64
    assert first["wave"].shape == (2, 5)
    assert not np.array_equal(first["image"], second["image"])
    again, _ = seeded_feeds([IMAGE, TOKENS, mask, wave], seed=3)
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_seeded_integers_without_bound_are_zero_or_one() -> None:
    (feed, _) = seeded_feeds([TensorInfo("n", "int32", (1, 200))], seed=0)
    assert set(np.unique(feed["n"])) == {0, 1}


def test_seeded_floats_that_look_rows_up_are_whole_and_within_the_table() -> None:
    """A keras.Input is float32 unless told otherwise, before an Embedding too."""
    (feed, _) = seeded_feeds([TensorInfo("tokens", "float32", (1, 200), upper_bound=9)], seed=0)
    assert feed["tokens"].dtype == np.float32
    assert set(np.unique(feed["tokens"])) == set(range(9))


@pytest.mark.parametrize(
    ("info", "dtype"),
    [
        (TensorInfo("t", "string", (None, 1), vocabulary=("cat", "dog")), object),
        (TensorInfo("t", "int32", (None,), vocabulary=(7, 3000)), np.int32),
        (TensorInfo("t", "string", (), vocabulary=("cat", "dog")), object),
    ],
)
def test_what_a_table_knows_is_drawn_from_it_and_differs_between_feeds(info: TensorInfo, dtype: type) -> None:
    for seed in range(20):
        first, second = seeded_feeds([info], seed=seed)
        assert {*first["t"].flat, *second["t"].flat} <= {*info.vocabulary}
        assert first["t"].dtype == dtype
        assert not np.array_equal(first["t"], second["t"])


def test_one_word_and_no_example_are_drawn_too() -> None:
    one, _ = seeded_feeds([TensorInfo("t", "string", (None,), vocabulary=("cat",))], seed=0)
    assert one["t"].tolist() == ["cat"]
    none, _ = seeded_feeds([TensorInfo("t", "string", (None, 0), vocabulary=("cat", "dog"))], seed=0)
    assert none["t"].shape == (1, 0)


def test_unknown_sides_become_a_small_image_or_a_short_sequence() -> None:
    feed, _ = seeded_feeds(
        [TensorInfo("a", "float32", (None, None, None, 3)), TensorInfo("b", "float32", (None, None))], seed=0
    )
    assert feed["a"].shape == (1, 64, 64, 3)
    assert feed["b"].shape == (1, 16)


@pytest.mark.parametrize("info", [TensorInfo("t", "string", (None,)), TensorInfo("t", "float32", None)])
def test_what_cannot_be_drawn_asks_for_samples(info: TensorInfo) -> None:
    with pytest.raises(ValueError, match=r"'t'.*pass samples="):
        seeded_feeds([info], seed=0)


def test_a_free_batch_is_cut_into_single_examples() -> None:
    images = np.arange(3 * 192, dtype=np.float64).reshape(3, 8, 8, 3)
    feeds = sample_feeds(images, [IMAGE])
    assert len(feeds) == 3
    assert feeds[1]["image"].dtype == np.float32
    assert np.array_equal(feeds[1]["image"], images[1:2])


def test_a_fixed_batch_is_cut_into_groups() -> None:
    info = TensorInfo("x", "float32", (2, 3))
    feeds = sample_feeds(np.ones((4, 3), np.float32), [info])
    assert [feed["x"].shape for feed in feeds] == [(2, 3), (2, 3)]
    with pytest.raises(
        ValueError, match="hold 3 examples; expected a positive multiple of 2, the batch that the model"
    ):
        sample_feeds(np.ones((3, 3), np.float32), [info])


def test_at_most_max_feeds_are_compared() -> None:
    assert len(sample_feeds(np.zeros((MAX_FEEDS + 5, 8, 8, 3)), [IMAGE])) == MAX_FEEDS


def test_dict_sequence_and_single_array_mean_the_same() -> None:
    tokens, image = np.ones((2, 5), np.int64), np.zeros((2, 8, 8, 3))
    by_name = sample_feeds({"tokens": tokens, "image": image}, [IMAGE, TOKENS])
    in_order = sample_feeds([image, tokens], [IMAGE, TOKENS])
    assert [set(feed) for feed in by_name] == [{"image", "tokens"}] * 2
    assert all(np.array_equal(a[k], b[k]) for a, b in zip(by_name, in_order, strict=True) for k in a)
    assert len(sample_feeds([image], [IMAGE])) == len(sample_feeds(image.tolist(), [IMAGE])) == 2


def test_text_is_kept_as_objects() -> None:
    info = TensorInfo("t", "string", (None,))
    assert [feed["t"].tolist() for feed in sample_feeds(["a", "ü"], [info])] == [["a"], ["ü"]]
    assert sample_feeds([b"b"], [info])[0]["t"].tolist() == [b"b"]


def test_a_scalar_input_goes_into_every_feed() -> None:
    feeds = sample_feeds({"image": np.zeros((2, 8, 8, 3)), "k": np.float32(3)}, [IMAGE, TensorInfo("k", "float32", ())])
    assert [float(feed["k"]) for feed in feeds] == [3.0, 3.0]


@pytest.mark.parametrize(
    ("samples", "inputs", "message"),
    [
        pytest.param({"picture": 0}, [IMAGE], "samples name 'picture'; the model's inputs are ['image']", id="name"),
        pytest.param({}, [IMAGE], "samples lack 'image'", id="missing"),
        pytest.param(
            np.zeros((8, 8, 3)), [IMAGE], "shape (8, 8, 3); expected (batch, 8, 8, 3): add the batch axis", id="batch"
        ),
        pytest.param(
            np.zeros((1, 9, 8, 3)), [IMAGE], "have shape (1, 9, 8, 3); expected (batch, 8, 8, 3).", id="shape"
        ),
        pytest.param(np.zeros((0, 8, 8, 3)), [IMAGE], "hold 0 examples", id="none"),
        pytest.param(np.zeros((1, 5)), [TOKENS], "are float64; expected int32", id="float-for-int"),
        pytest.param(np.full((1, 5), 2**40), [TOKENS], "integers beyond int32", id="int64"),
        pytest.param(np.full((1, 8, 8, 3), 2**30), [IMAGE], "are int64; expected float32", id="int-not-exact"),
        pytest.param([["a"] * 5], [TOKENS], "are <U1; expected int32", id="text-for-int"),
        pytest.param([[1, 2], [3]], [TOKENS], "are no array", id="ragged"),
        pytest.param(np.zeros((1, 5)), [IMAGE, TOKENS], "samples are a ndarray; expected one array for each", id="one"),
        pytest.param(
            [np.zeros((2, 8, 8, 3)), np.zeros((3, 5), int)],
            [IMAGE, TOKENS],
            "different numbers of examples ('image': 2, 'tokens': 3)",
            id="counts",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused_in_one_line(samples: Any, inputs: list[TensorInfo], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        sample_feeds(samples, inputs)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- what is timed


X = TensorInfo("x", "float32", (None, 2))
OPEN_IMAGE = TensorInfo("image", "float32", (None, None, None, 3))


def test_a_batch_is_made_of_the_samples_again_and_again() -> None:
    samples = np.arange(6, dtype=np.float32).reshape(3, 2)
    feeds, timed = timed_feeds([X], samples, seed=0, batches=(1, 4))
    assert [(t.label, t.examples, t.feed, t.compared) for t in timed] == [
        ("batch 1", 1, 0, (0, 1, 2)),
        ("batch 4", 4, 3, (3, 0, 1, 2)),
    ]
    assert feeds[3]["x"].tolist() == samples[[0, 1, 2, 0]].tolist()


def test_a_batch_that_no_page_could_take_is_refused_before_it_is_made() -> None:
    image = TensorInfo("image", "float32", (None, 224, 224, 3))
    with pytest.raises(OptionError, match=r"^batch is 65536, which makes 39,460 MB of samples; expected 67 MB at"):
        timed_feeds([image], None, seed=0, batches=(1, 65536))


def test_every_input_gets_the_batch_and_seeded_examples_differ_in_it() -> None:
    feeds, (timed,) = timed_feeds([X, TensorInfo("n", "int32", (None,))], None, seed=0, batches=(2,))
    assert [array.shape for array in feeds[timed.feed].values()] == [(2, 2), (2,)]
    first, second = feeds[timed.feed]["x"]
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("shape", [(8, 2), None, ()])
def test_a_batch_that_a_model_fixes_is_one_sentence(shape: Any) -> None:
    with pytest.raises(OptionError, match=r"whose batch is free, but input 'x' is .*; convert it with a free batch"):
        timed_feeds([TensorInfo("x", "float32", shape)], None, seed=0, batches=(4,))


def test_samples_of_several_sizes_are_timed_each() -> None:
    small, large = np.zeros((2, 8, 8, 3), np.float32), np.zeros((1, 16, 8, 3), np.float32)
    feeds, timed = timed_feeds([OPEN_IMAGE], [small, large], seed=0)
    assert [(t.label, t.feed, t.compared) for t in timed] == [("8×8×3", 0, (0, 1)), ("16×8×3", 2, (2,))]
    feeds, timed = timed_feeds([OPEN_IMAGE], [{"image": small}, {"image": large}], seed=0, batches=(4,))
    assert [t.label for t in timed] == ["8×8×3, batch 4", "16×8×3, batch 4"]
    assert feeds[timed[1].feed]["image"].shape == (4, 16, 8, 3)


def test_one_set_of_samples_is_one_series_without_a_name() -> None:
    for samples in (None, np.zeros((3, 2), np.float32), [[0.0, 1.0], [2.0, 3.0]]):
        feeds, (timed,) = timed_feeds([X], samples, seed=0)
        assert (timed.label, timed.feed, timed.compared) == ("", 0, (*range(len(feeds)),))
