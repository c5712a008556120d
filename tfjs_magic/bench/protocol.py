"""Every message between kernel and page, and the guard for what arrives from the page.

Source: js/src/protocol.ts, hop 1, of which this is the twin (a test keeps them equal). Logic-free but for ``parse``.
The page asks, the kernel answers with the same id or with ``failed``; binary data rides in the messages' buffers.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from tfjs_magic.options import Backend

#: Bound on the bytes of one message: the browser → kernel hop silently loses messages of 10 MiB and more.
MAX_PIECE_BYTES = 4 * 2**20
#: Bound on a text of the page's own, in characters: it may go into the synced state. The page cuts what is longer.
MAX_TEXT_LENGTH = 20_000
#: Bound on the picture of the plot, in characters: one of some hundred runs has about 50,000.
MAX_PICTURE_LENGTH = 2**20
#: A page that runs reports at least this often.
HEARTBEAT_MS = 2000
#: Below this many runs the slowest tenth is three runs or fewer, so the 90th percentile is not given.
MIN_RUNS_FOR_P90 = 30

#: Bound on the rows of a profile: what is left out is summed up.
MAX_PROFILE_ROWS = 200

Stage = Literal["weights", "backend", "load", "verify", "warmup", "run"]
Warmup = int | Literal["auto"]
#: What the page that runs a benchmark says of it.
RunStatus = Literal["running", "finished", "stopped", "failed"]
#: pending: nobody has run it yet; interrupted: the page that ran it went away.
Status = RunStatus | Literal["pending", "interrupted"]

#: The page said how the run ended: its numbers are final.
CONCLUDED: frozenset[Status] = frozenset({"finished", "stopped", "failed"})
#: No page runs it any more; one that was thought gone may still come back.
ENDED: frozenset[Status] = CONCLUDED | {"interrupted"}


# ---------------------------------------------------------------- shared pieces
class WireError(TypedDict):
    """A JavaScript or Python error as data; ``message`` is hostile text."""

    name: str
    message: str
    stack: str


class WireTensor(TypedDict):
    """A tensor: little-endian bytes in a buffer (``values`` None), or strings in ``values``."""

    name: str
    dtype: str
    shape: list[int]
    values: list[str] | None


class Job(TypedDict):
    """One model on one backend (None for the fastest that works there) with one set of inputs that is timed."""

    model: int
    backend: Backend | None
    feed: int


class Environment(TypedDict):
    """What the numbers were measured on."""

    user_agent: str
    platform: str
    hardware_concurrency: int
    device_memory_gb: float | None
    cross_origin_isolated: bool
    clock_resolution_ms: float
    worker: bool
    worker_problem: str
    tfjs_version: str
    hidden_ms: float


class OutputParity(TypedDict):
    """How one output compared with Python's; ``max_rel_error`` is relative to the largest reference value."""

    output: str
    max_abs_error: float
    max_rel_error: float
    cosine: float | None
    top1_agreement: float | None
    tolerance: float
    passed: bool


class Parity(TypedDict):
    """The verdict.

    ``status``: "passed", "failed", "inconclusive", "reported", "no_reference", "source_changed" or "source_failed".

    ``note``: a sentence or "".
    """

    status: str
    note: str
    outputs: list[OutputParity]


# ---------------------------------------------------------------- more about one job, once the benchmark has ended
TaskKind = Literal["profile", "divergence"]


class TaskName(TypedDict):
    """What a page does for one job."""

    kind: TaskKind
    job: Job


class Task(TypedDict):
    """How it stands; ``status`` "wanted": Python asks, the first page to claim it runs it."""

    kind: TaskKind
    job: Job
    status: Literal["wanted", "running", "done", "failed"]
    page: str
    done: float
    total: float
    error: WireError | None


class ProfileRow(TypedDict):
    """All calls of one kernel by one node of the graph or one layer, per run of the model.

    ``node``: name of the graph's node; of a layers model's layer, with "/" between a model and what is in it.

    ``layer``: the Keras layer that it computes for, or what the name of a graph's node suggests; "" if neither.

    ``order``: by the first call in a run.

    ``error_ms``: standard error of ``ms``. ``nbytes``: of the outputs.
    """

    node: str
    layer: str
    kernel: str
    order: int
    calls: float
    ms: float
    error_ms: float
    nbytes: float


class Profile(TypedDict):
    """Where the time of a run goes: rows by falling time, ``MAX_PROFILE_ROWS`` at most, and what is left out.

    ``profiled_ms`` is the mean of the profiled runs, ``plain_ms`` of as many runs beside them: the difference is what
    profiling costs. ``note`` says how the time was taken.
    """

    rows: list[ProfileRow]
    more_rows: int
    more_ms: float
    runs: int
    profiled_ms: float
    plain_ms: float
    note: str


class RunChoice(TypedDict):
    """What the reader chose in the widget: None for what the cell asked for. No backend: the fastest."""

    backends: list[Backend] | None
    runs: int | None


class LayerRow(TypedDict):
    """How the output of one Keras layer compared with Python's; errors are None where it was not compared.

    ``max_rel_error`` and ``added`` are relative to the layer's largest value in Python; ``added`` is what it has more
    than the largest of the layers that it takes. ``note`` says why it was not compared.
    """

    layer: str
    layer_class: str
    max_abs_error: float | None
    max_rel_error: float | None
    added: float | None
    tolerance: float | None
    passed: bool
    note: str


class Divergence(TypedDict):
    """Where a model differs: a row per layer in the order of the calls.

    ``first``: the first layer beyond ``bound``, of a quantized model without a bound of the user's the one that adds
    most; "" if none is. ``complete``: whether every layer was compared that can be.
    """

    rows: list[LayerRow]
    first: str
    sentence: str
    bound: float
    feed: int
    complete: bool


# ---------------------------------------------------------------- the state of a benchmark
class Memory(TypedDict):
    """Memory of one job in bytes, beside what the browser and TF.js itself take.

    ``model_nbytes``: tensors of the loaded model; weights that are stored in fewer bits are unpacked.

    ``peak_nbytes``: most bytes of tensors at a time in a run, those of model and inputs included.

    ``leaked_tensors``: what a run leaves behind. ``wasm_nbytes``: the WebAssembly heap, which never shrinks.
    """

    model_nbytes: int
    peak_nbytes: int
    leaked_tensors: int
    wasm_nbytes: int | None


class JobProgress(TypedDict):
    """What the page that runs a job says of it, but for the latencies of warm-up and runs."""

    job: Job
    status: Literal["waiting", "running", "done", "failed", "stopped"]
    stage: Stage | None
    done: float
    total: float
    actual: Backend | None
    device: str
    software: bool
    backend_ms: float | None
    transfer_ms: float | None
    load_ms: float | None
    first_ms: float | None
    memory: Memory | None
    batch: int
    error: WireError | None


class Series(TypedDict):
    """What is timed, where a model runs with several sizes: "" if it runs with one; examples in one call."""

    label: str
    examples: int


class JobState(JobProgress):
    """All that is known of one job."""

    series: Series

    warmup_ms: list[float]
    run_ms: list[float]
    parity: Parity | None
    profile: Profile | None
    divergence: Divergence | None


class Latencies(TypedDict):
    """Part of a job's latencies, from an index on."""

    first_index: int
    latency_ms: list[float]


class JobReport(TypedDict):
    """A job that changed since the report before: of its latencies only the new ones."""

    progress: JobProgress
    warmup: Latencies
    run: Latencies


# ---------------------------------------------------------------- page → kernel
class GetAsset(TypedDict):  # noqa: D101
    kind: Literal["get_asset"]
    id: int
    name: str


class Claim(TypedDict):  # noqa: D101
    kind: Literal["claim"]
    id: int
    page: str
    again: bool
    task: TaskName | None
    choice: RunChoice | None


class GetModel(TypedDict):  # noqa: D101
    kind: Literal["get_model"]
    id: int
    model: int


class GetWeights(TypedDict):  # noqa: D101
    kind: Literal["get_weights"]
    id: int
    model: int
    offset: int
    length: int


class GetFeed(TypedDict):  # noqa: D101
    kind: Literal["get_feed"]
    id: int
    model: int
    feed: int


class PutOutput(TypedDict):  # noqa: D101
    kind: Literal["put_output"]
    id: int
    page: str
    job: Job
    feed: int
    tensor: WireTensor
    offset: int
    total: int


class Verify(TypedDict):  # noqa: D101
    kind: Literal["verify"]
    id: int
    page: str
    job: Job


class GetLayers(TypedDict):  # noqa: D101
    kind: Literal["get_layers"]
    id: int
    page: str
    job: Job


class CompareLayers(TypedDict):  # noqa: D101
    kind: Literal["compare_layers"]
    id: int
    page: str
    job: Job
    group: int


class Report(TypedDict):  # noqa: D101
    kind: Literal["report"]
    id: int
    page: str
    status: RunStatus
    environment: Environment | None
    error: WireError | None
    jobs: list[JobReport]


class ReportTask(TypedDict):  # noqa: D101
    kind: Literal["report_task"]
    id: int
    page: str
    task: TaskName
    status: Literal["running", "done", "failed"]
    done: float
    total: float
    error: WireError | None
    profile: Profile | None


class Picture(TypedDict):  # noqa: D101
    kind: Literal["picture"]
    id: int
    page: str
    svg: str


class GetResult(TypedDict):  # noqa: D101
    kind: Literal["get_result"]
    id: int


ToKernel = (
    GetAsset
    | Claim
    | GetModel
    | GetWeights
    | GetFeed
    | PutOutput
    | Verify
    | GetLayers
    | CompareLayers
    | Report
    | ReportTask
    | Picture
    | GetResult
)


# ---------------------------------------------------------------- kernel → page
class AssetReply(TypedDict):  # noqa: D101
    kind: Literal["asset"]
    id: int
    encoding: Literal["gzip", "identity"]


class ClaimReply(TypedDict):  # noqa: D101
    kind: Literal["claim"]
    id: int
    granted: bool
    jobs: list[Job]
    runs: int
    min_time_ms: float
    warmup: Warmup
    seed: int


class ComparedFeeds(TypedDict):
    """The feeds whose outputs are compared where ``feed`` is timed, itself first."""

    feed: int
    feeds: list[int]


class ModelReply(TypedDict):  # noqa: D101
    kind: Literal["model"]
    id: int
    format: Literal["layers-model", "graph-model"]
    weight_nbytes: int
    feeds: int
    compared: list[ComparedFeeds]
    inputs: list[str]
    outputs: list[str]
    inside: str
    compare: bool


class WeightsReply(TypedDict):  # noqa: D101
    kind: Literal["weights"]
    id: int
    offset: int
    crc32: int


class FeedReply(TypedDict):  # noqa: D101
    kind: Literal["feed"]
    id: int
    tensors: list[WireTensor]


class VerifiedReply(TypedDict):  # noqa: D101
    kind: Literal["verified"]
    id: int
    parity: Parity


class ResultReply(TypedDict):  # noqa: D101
    kind: Literal["result"]
    id: int


class LayersReply(TypedDict):  # noqa: D101
    kind: Literal["layers"]
    id: int
    feed: int
    groups: list[list[str]]


class LayersComparedReply(TypedDict):  # noqa: D101
    kind: Literal["layers_compared"]
    id: int
    divergence: Divergence


class AckReply(TypedDict):  # noqa: D101
    kind: Literal["ack"]
    id: int


class FailedReply(TypedDict):  # noqa: D101
    kind: Literal["failed"]
    id: int
    error: WireError


FromKernel = (
    AssetReply
    | ClaimReply
    | ModelReply
    | WeightsReply
    | FeedReply
    | VerifiedReply
    | ResultReply
    | LayersReply
    | LayersComparedReply
    | AckReply
    | FailedReply
)


# ---------------------------------------------------------------- the synced traits
class ModelCard(TypedDict):
    """What a page shows of a model before it has it."""

    label: str
    format: str
    nbytes: int


class Snapshot(TypedDict):
    """What a mirror, a second tab or a reopened notebook shows."""

    status: Status
    page: str
    models: list[ModelCard]
    environment: Environment | None
    jobs: list[JobState]
    error: WireError | None
    task: Task | None
    warnings: list[str]


Assets = dict[str, str]


class ProtocolError(ValueError):
    """A message from the page is not what the protocol allows; the text goes back to the page."""


def parse(content: object) -> ToKernel:
    """Check a message from the page field by field; a field that the protocol does not know is left out.

    Raises:
        ProtocolError: Naming the field, what stood there and what was expected.
    """
    return typing.cast("ToKernel", _check(content, ToKernel, "message"))


def _check(value: Any, expected: Any, where: str) -> Any:
    origin = typing.get_origin(expected)
    if typing.is_typeddict(expected):
        return _check_fields(value, expected, where)
    if origin is list:
        if not isinstance(value, list):
            raise ProtocolError(f"{where} is a {type(value).__name__}; expected a list.")
        (item,) = typing.get_args(expected)
        return [_check(v, item, f"{where}[{i}]") for i, v in enumerate(value)]
    if origin is Literal:
        if not isinstance(value, str) or value not in typing.get_args(expected):
            raise ProtocolError(f"{where} is {value!r:.80}; expected one of {typing.get_args(expected)}.")
        return value
    if origin in {types.UnionType, typing.Union}:
        return _check_union(value, typing.get_args(expected), where)
    if expected is float and type(value) in {int, float} and math.isfinite(value):
        return float(value)
    if type(value) is not expected or expected is float:
        raise ProtocolError(f"{where} is {value!r:.80}; expected {_name(expected)}.")
    if expected is str and len(value) > (most := MAX_PICTURE_LENGTH if where == "message.svg" else MAX_TEXT_LENGTH):
        raise ProtocolError(f"{where} has {len(value)} characters; expected at most {most}.")
    return value


def _check_fields(value: Any, expected: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ProtocolError(f"{where} is a {type(value).__name__}; expected an object.")
    fields = _fields(expected)
    if missing := fields.keys() - value.keys():
        raise ProtocolError(f"{where} lacks '{min(missing)}'.")
    return {name: _check(value[name], kind, f"{where}.{name}") for name, kind in fields.items()}


def _check_union(value: Any, members: tuple[Any, ...], where: str) -> Any:
    if all(typing.is_typeddict(member) for member in members):
        by_kind = {typing.get_args(_fields(member)["kind"])[0]: member for member in members}
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(kind, str) or kind not in by_kind:
            raise ProtocolError(f"{where}.kind is {kind!r:.80}; expected one of {tuple(by_kind)}.")
        return _check_fields(value, by_kind[kind], where)
    if value is None and type(None) in members:
        return None
    errors = []
    for member in members:
        if member is not type(None):
            try:
                return _check(value, member, where)
            except ProtocolError as error:
                errors.append(error)
    raise errors[0]


@functools.cache
def _fields(typed_dict: Any) -> dict[str, Any]:
    return typing.get_type_hints(typed_dict)


def _name(kind: Any) -> str:
    return {int: "an integer", float: "a finite number", str: "text", bool: "true or false"}.get(kind, str(kind))
