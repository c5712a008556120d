"""What is known of a benchmark, as kernel and page share it: plain data, and nothing that acts on it.

Source: js/src/protocol.ts, of which this and protocol.py are the twin (a test keeps them equal).
"""

from __future__ import annotations

from typing import Literal, TypedDict

from tfjs_magic.options import Backend

#: Below this many runs the slowest tenth is three runs or fewer, so the 90th percentile is not given.
MIN_RUNS_FOR_P90 = 30
#: Bound on the rows of a profile: what is left out is summed up.
MAX_PROFILE_ROWS = 200

Stage = Literal["weights", "backend", "load", "verify", "warmup", "run"]
#: What the page that runs a benchmark says of it.
RunStatus = Literal["running", "finished", "stopped", "failed"]
#: pending: nobody has run it yet; interrupted: the page that ran it went away.
Status = RunStatus | Literal["pending", "interrupted"]

#: The page said how the run ended: its numbers are final.
CONCLUDED: frozenset[Status] = frozenset({"finished", "stopped", "failed"})
#: No page runs it any more; one that was thought gone may still come back.
ENDED: frozenset[Status] = CONCLUDED | {"interrupted"}


class WireError(TypedDict):
    """A JavaScript or Python error as data; ``message`` is hostile text."""

    name: str
    message: str
    stack: str


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


# ---------------------------------------------------------------- one job
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
