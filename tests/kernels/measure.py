"""What TF.js's kernels do: each op alone, as the converter hands it to TF.js, against TensorFlow."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tests.conformance.compare import assert_matches
from tests.conformance.node import JsError, NodeResult, SyncReadError, TfjsNode
from tests.graph_text import tfjs_model
from tests.kernels.draw import FEEDS, Draw, Recipe
from tests.kernels.recipes import RECIPES
from tfjs_magic.artifacts import Array
from tfjs_magic.graph.graph_def import graph_from_graph_def
from tfjs_magic.options import Backend

_TOLERANCE = 2e-4


@dataclasses.dataclass(frozen=True)
class Trial:
    """One way to call an op.

    Attributes:
        op: Its type.
        dtypes: The dtypes of the attributes that the recipe names, joined by commas.
        attrs: Beside the defaults.
        form: How the second operand is broadcast.
        large: With integers beyond 2^24.
        port: The output that is looked at.
        rank: What the recipe is given.
    """

    op: str
    dtypes: str
    attrs: tuple[tuple[str, Any], ...] = ()
    form: str = ""
    large: bool = False
    port: int = 0
    rank: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether all but the dtypes and the axes is as usual."""
        return not (self.attrs or self.form or self.large or self.port)


@dataclasses.dataclass
class Prepared:
    """A trial whose reference is known.

    Attributes:
        axes: The most axes of the op's operands and results.
        graph_def: The call; its fed operands are called by their trial's number.
        feeds: Input name → array, per run.
        expected: Output name → array, per run: the result, and each operand as it must be afterwards.
    """

    trial: Trial
    axes: int
    graph_def: Any
    feeds: list[dict[str, Array]]
    outputs: dict[str, str]
    expected: list[dict[str, Array]]


def trials(op: str) -> Iterator[Trial]:
    """Yield every way to call an op; TensorFlow may not have each."""
    recipe = RECIPES[op]
    for dtypes in _combinations(op, recipe):
        key = ",".join(dtype.name for dtype in dtypes)
        plain = [Trial(op, key, rank=rank) for rank in recipe.ranks]
        yield from plain
        if dtypes and dtypes[0] == tf.int32 and recipe.large:
            yield from (dataclasses.replace(trial, large=True) for trial in plain)
        for attrs in recipe.attrs:
            yield from (dataclasses.replace(trial, attrs=_hashable(attrs)) for trial in plain)
        for form in recipe.forms:
            yield from (dataclasses.replace(trial, form=form) for trial in plain if trial.rank > (form == "vector"))
        for port in range(1, _outputs(op)):
            yield from (dataclasses.replace(trial, port=port) for trial in plain)


def _hashable(attrs: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in attrs.items())


def _outputs(op: str) -> int:
    """How many outputs an op has of a fixed number."""
    arguments = op_def_registry.get(op).output_arg
    return 1 if any(argument.number_attr or argument.type_list_attr for argument in arguments) else len(arguments)


def _combinations(op: str, recipe: Recipe) -> Iterator[tuple[tf.DType, ...]]:
    allowed = {attr.name: set(attr.allowed_values.list.type) for attr in op_def_registry.get(op).attr}
    return itertools.product(
        *(
            [dtype for dtype in recipe.dtypes if not allowed[name] or dtype.as_datatype_enum in allowed[name]]
            for name in recipe.types
        )
    )


def prepared_trials(op: str) -> list[Prepared]:
    """Return every call of an op that TensorFlow can compute."""
    found = (prepare(trial, number) for number, trial in enumerate(trials(op)))
    return [one for one in found if one is not None]


def prepare(trial: Trial, number: int) -> Prepared | None:
    """Build a trial and let TensorFlow compute it; None if TensorFlow has no such call."""
    recipe = RECIPES[trial.op]
    dtypes = dict(zip(recipe.types, map(tf.as_dtype, filter(None, trial.dtypes.split(","))), strict=True))
    draw = Draw(
        trial.op,
        dtypes,
        attrs={k: list(v) if isinstance(v, tuple) else v for k, v in trial.attrs},
        form=trial.form,
        large=trial.large,
    )
    with tf.Graph().as_default() as graph, tf.name_scope(f"t{number}"):
        try:
            results = tf.nest.flatten(recipe.call(draw, trial.rank))
        except (TypeError, ValueError, tf.errors.OpError, NotImplementedError):
            return None
        shown = results if trial.port == 0 and len(results) != _outputs(trial.op) else [results[trial.port]]
        fetches = {f"t{number}_y{i}": tensor for i, tensor in enumerate(shown)}
        operands = {
            f"{name}{_AFTER}".replace("/", "_"): tf.identity(graph.get_tensor_by_name(f"{name}:0"))
            for name in draw.feeds
        }
        feeds = [{f"{name}:0": arrays[run] for name, arrays in draw.feeds.items()} for run in range(FEEDS)]
        config = tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            try:
                expected = [session.run({**fetches, **operands}, feed) for feed in feeds]
            except tf.errors.OpError:
                return None
        call = [node for node in graph.get_operations() if node.type == trial.op][-1]
        tensors = [tensor for tensor in (*call.inputs, *call.outputs) if tensor.dtype != tf.variant]
        known = [len(tensor.shape) for tensor in tensors if tensor.shape.rank is not None]
        return Prepared(
            trial,
            max([*known, *(np.ndim(expected[0][name]) for name in fetches)]),
            graph.as_graph_def(),
            [{name: arrays[run] for name, arrays in draw.feeds.items()} for run in range(FEEDS)],
            {name: tensor.name for name, tensor in {**fetches, **operands}.items()},
            [
                {name: np.asarray(value, object) if isinstance(value, bytes) else value for name, value in run.items()}
                for run in expected
            ],
        )


def failures(prepared: Sequence[Prepared], node: TfjsNode, backend: Backend) -> dict[Trial, str]:
    """Say what does not work: of special calls only those whose plain one is right."""
    plain = failing([one for one in prepared if one.trial.is_plain], node, backend)
    known = {(trial.dtypes, trial.rank) for trial in plain}
    special = [one for one in prepared if not one.trial.is_plain and (one.trial.dtypes, one.trial.rank) not in known]
    return {**plain, **failing(special, node, backend)}


#: A trial of which the result is right, and an operand is not what it was.
WRITES = "it writes into an operand"
#: A trial that reads WebGPU at once, which a GPU in software may answer with nothing.
SYNC = "it reads synchronously"
_AFTER = "_after"


def failing(prepared: Sequence[Prepared], node: TfjsNode, backend: Backend) -> dict[Trial, str]:
    """Run trials in one model, and in smaller ones where that fails: trial → what is wrong with it."""
    if not prepared:
        return {}
    graph_def = tf.compat.v1.GraphDef()
    for one in prepared:
        graph_def.MergeFrom(one.graph_def)
    graph_def.ClearField("library")
    feeds = [{name: value for one in prepared for name, value in one.feeds[run].items()} for run in range(FEEDS)]
    outputs = {name: ref for one in prepared for name, ref in one.outputs.items()}
    graph = graph_from_graph_def(
        graph_def, handles={}, tables={}, inputs={name: name for name in feeds[0]}, outputs=outputs
    )
    try:
        results = node.run_each(tfjs_model(graph), [*feeds, feeds[0]], backend, forward=False)
    except (JsError, RuntimeError, ValueError) as error:  # ValueError: fewer numbers than the shape says
        if len(prepared) == 1 and isinstance(error, SyncReadError):
            return {prepared[0].trial: SYNC}
        if len(prepared) == 1:
            return {prepared[0].trial: f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"}
        half = len(prepared) // 2
        return {**failing(prepared[:half], node, backend), **failing(prepared[half:], node, backend)}
    found: dict[Trial, str] = {}
    for one in prepared:
        runs = zip(results, [*one.expected, one.expected[0]], strict=True)
        problem = next(filter(None, (_problem(got, expected) for got, expected in runs)), None)
        if problem is not None:
            found[one.trial] = problem
    return found


def _problem(got: NodeResult, expected: Mapping[str, Array]) -> str | None:
    """Say what is wrong with one run of one trial."""
    for operands in (False, True):
        names = [name for name in expected if name.endswith(_AFTER) == operands]
        part = NodeResult({name: got[name] for name in names}, _REPLY, got.backend)
        try:
            assert_matches(part, {name: expected[name] for name in names}, tolerance=_TOLERANCE)
        except AssertionError as error:
            return WRITES if operands else str(error).splitlines()[0]
    return None


_REPLY: Mapping[str, Any] = {"async": False, "leaked": 0, "leakedPerRun": 0}
