"""Outputs that cannot tell right from wrong: other samples are tried, then a tensor inside is compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pytest

import tfjs_magic
from tests.bench.reports import JOB
from tests.bench.test_session import Page
from tests.bench.tiny import tiny_model
from tests.models import randomised
from tfjs_magic.artifacts import Array
from tfjs_magic.bench.feeds import Feed, seeded_feeds
from tfjs_magic.bench.trial import AMPLITUDES, Trial, find_trial
from tfjs_magic.bench.verify import tells
from tfjs_magic.bench.widget import Benchmark
from tfjs_magic.model import TfjsModel
from tfjs_magic.options import BenchmarkOptions

layers = keras.layers


def flat_classifier(units: int = 100) -> Any:
    """Return a network whose softmax gives the same for every class, as before training."""
    inputs = keras.Input((8,))
    x = layers.Dense(8, activation="relu", name="hidden")(inputs)
    model = randomised(keras.Model(inputs, layers.Dense(units, activation="softmax", name="classes")(x)))
    model.layers[-1].set_weights([weight * 1e-8 for weight in model.layers[-1].get_weights()])
    return model


def trial_of(model: TfjsModel, *, redraws: bool = True, call: Any = None) -> Trial:
    def run(feeds: Sequence[Feed]) -> list[Feed]:
        python = call or model.reference
        assert python is not None
        return [python(feed) for feed in feeds]

    def redraw(attempt: int, amplitude: float) -> list[Feed]:
        return seeded_feeds(model.inputs, seed=attempt, amplitude=amplitude)

    feeds = seeded_feeds(model.inputs, seed=0)
    return find_trial(model, feeds, (0, 1), redraw=redraw if redraws else None, run=run)


def test_samples_that_tell_are_taken_as_they_are() -> None:
    trial = trial_of(tiny_model())
    assert (trial.inside, trial.note) == (None, "")
    assert [feed["x"].std() < 3 for feed in trial.feeds] == [True, True]


def test_larger_samples_are_tried_before_anything_else() -> None:
    def only_beyond_five(feed: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": np.maximum(np.abs(feed["x"]) - 5, 0)}

    trial = trial_of(tiny_model(), call=only_beyond_five)
    assert trial.note == ("The samples were drawn again, 10 times as large: the first could not tell right from wrong.")
    assert tells(trial.expected)
    assert trial.inside is None


def test_another_seed_is_tried_first() -> None:
    tried: list[float] = []

    def at_the_second_try(feed: Mapping[str, Array]) -> dict[str, Array]:
        tried.append(0)
        return {"y": feed["x"] if len(tried) > 2 else np.zeros((1, 4), np.float32)}

    trial = trial_of(tiny_model(), call=at_the_second_try)
    assert trial.note == "The samples were drawn again: the first could not tell right from wrong."


@pytest.mark.parametrize("format", ["graph", "layers"])
def test_the_logits_behind_a_flat_softmax_are_compared(format: Any) -> None:  # noqa: A002 - the field's word
    trial = trial_of(tfjs_magic.convert(flat_classifier(), format=format))
    assert trial.inside is not None
    assert trial.inside.label == "classes (before softmax)"
    assert trial.note == (
        "The outputs hardly depend on the samples, so 'classes (before softmax)' inside the model was compared, too."
    )
    assert [list(outputs) for outputs in trial.expected] == [["classes", "classes (before softmax)"]] * 2
    assert tells(trial.expected)


def test_the_users_own_samples_stay() -> None:
    model = tfjs_magic.convert(flat_classifier())
    trial = trial_of(model, redraws=False)
    assert trial.inside is not None
    np.testing.assert_equal(list(trial.feeds), seeded_feeds(model.inputs, seed=0))


def test_without_any_tensor_that_tells_it_stays_as_it_was() -> None:
    for model in (dataclasses.replace(tiny_model(), layers=()), tiny_model(call=None)):
        calls: list[Any] = []
        flat = trial_of(model, call=lambda feed, calls=calls: calls.append(feed) or {"y": np.zeros((1, 3))})
        assert (flat.inside, flat.note) == (None, "")
        assert len(calls) == 2 * (1 + len(AMPLITUDES))


def test_outputs_that_are_no_numbers_are_not_excused_by_what_is_inside() -> None:
    inputs = keras.Input((4,))
    x = layers.Dense(3, name="hidden")(inputs)
    model = tfjs_magic.convert(keras.Model(inputs, keras.ops.log(-1 - keras.ops.abs(x))))
    trial = trial_of(model)
    assert (trial.inside, trial.note) == (None, "")


# ---------------------------------------------------------------- the conversation


def test_a_page_sends_the_tensor_inside_and_the_verdict_says_so() -> None:
    model = tfjs_magic.convert(flat_classifier(3), format="layers")
    page = Page(model)
    page.claim()
    reply = page.ask("get_model", model=0)[0]
    assert (reply["inside"], reply["feeds"]) == ("classes:before", 2)
    trial = trial_of(model, redraws=False)
    for feed, outputs in enumerate(trial.expected):
        page.put(outputs["classes"], name="classes", feed=feed)
        logits = outputs["classes (before softmax)"] * np.float32(1.5)
        assert page.put(logits, name="classes:before", feed=feed)["kind"] == "ack"
    parity = page.ask("verify", page="p", job=JOB, actual=None)[0]["parity"]
    assert parity["status"] == "failed"
    assert [row["passed"] for row in parity["outputs"]] == [True, False]
    assert parity["outputs"][1]["output"] == "classes (before softmax)"
    assert "inside the model was compared, too" in parity["note"]
    assert "no output" in page.put(logits, name="hidden")["error"]["message"]


def test_a_page_gets_the_samples_that_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the benchmark's own options, so that the same seed gives the same samples again."""

    def beyond_five(feed: Mapping[str, Array]) -> dict[str, Array]:
        return {"y": np.maximum(np.abs(feed["x"]) - 5, 0)[:, :3]}

    sent: list[Any] = []
    for _ in range(2):
        bench = Benchmark.of({"tiny": tiny_model(call=beyond_five)}, BenchmarkOptions(seed=3))
        monkeypatch.setattr(bench._session, "_send", lambda reply, buffers: sent.append((reply, buffers)))
        bench._session.receive({"kind": "get_feed", "id": 1, "model": 0, "feed": 0}, [])
    (_, first), (_, again) = sent
    assert first == again
    assert np.abs(np.frombuffer(first[0], np.float32)).max() > 3
