"""Every message between kernel and page.

Source: js/src/protocol.ts, hop 1, of which this and state.py are the twin (a test keeps them equal). Logic-free; what
arrives is checked in guards.py. The page asks, the kernel answers with the same id or with ``failed``; binary data
rides in the messages' buffers.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from tfjs_magic.bench.state import (
    Divergence,
    Environment,
    Job,
    JobProgress,
    Parity,
    Profile,
    RunStatus,
    TaskName,
    WireError,
)
from tfjs_magic.options import Backend

#: Bound on the bytes of one message: the browser → kernel hop silently loses messages of 10 MiB and more.
MAX_PIECE_BYTES = 4 * 2**20
#: Bound on a text of the page's own, in characters: it may go into the synced state. The page cuts what is longer.
MAX_TEXT_LENGTH = 20_000
#: Bound on the picture of the plot, in characters: one of some hundred runs has about 50,000.
MAX_PICTURE_LENGTH = 2**20
#: A page that runs reports at least this often.
HEARTBEAT_MS = 2000

Warmup = int | Literal["auto"]


class ProtocolError(ValueError):
    """A message from the page is not what the protocol allows; the text goes back to the page."""


# ---------------------------------------------------------------- parts of messages
class WireTensor(TypedDict):
    """A tensor: little-endian bytes in a buffer (``values`` None), or strings in ``values``."""

    name: str
    dtype: str
    shape: list[int]
    values: list[str] | None


class RunChoice(TypedDict):
    """What the reader chose in the widget: None for what the cell asked for. No backend: the fastest."""

    backends: list[Backend] | None
    runs: int | None


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
    actual: Backend | None


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
