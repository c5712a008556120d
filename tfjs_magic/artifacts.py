"""What a converted model is made of: data only.

Format authority: tfjs ``tfjs-core/src/io/types.ts`` (``ModelJSON``, ``WeightsManifestConfig``), 4.22.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from tfjs_magic._version import __version__

ModelFormat = Literal["layers-model", "graph-model"]
Array = NDArray[Any]
#: The sizes of a static shape; None for an unknown one.
Dims = tuple[int | None, ...]


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output under the user's own name.

    Attributes:
        dtype: TF.js dtype: "float32", "int32", "bool", "complex64" or "string".
        shape: None for an unknown dimension; None instead of the tuple for an unknown rank.
        upper_bound: For indices into an embedding or a table: valid values are in [0, upper_bound).
        vocabulary: For what is looked up in a table: keys that it has, texts or integers.
    """

    name: str
    dtype: str
    shape: Dims | None
    upper_bound: int | None = None
    vocabulary: tuple[str | int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Quantization:
    """How stored integers (or float16) become float32: ``stored * scale + min``; float16 has neither."""

    dtype: Literal["float16", "uint8", "uint16"]
    scale: float | None = None
    min: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class WeightEntry:
    """A weight in memory. ``data`` may be a read-only view of the source's own buffer.

    Attributes:
        codes: The stored integers (or float16) that ``data`` was decoded from, with how they are read.
    """

    name: str
    data: Array
    codes: tuple[memoryview, Quantization] | None = None


@dataclasses.dataclass(frozen=True)
class WeightSpec:
    """A weight's row in the manifest."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quantization: Quantization | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the row as TF.js reads it."""
        row: dict[str, Any] = {"name": self.name, "shape": list(self.shape), "dtype": self.dtype}
        if (q := self.quantization) is not None:
            row["quantization"] = {"dtype": q.dtype, "original_dtype": "float32"}
            if q.scale is not None:
                row["quantization"] |= {"min": q.min, "scale": q.scale}
        return row


@dataclasses.dataclass(frozen=True, eq=False)
class ManifestGroup:
    """Weight specs and their bytes, end to end without padding, cut into shards that ignore tensor borders.

    Attributes:
        specs: One row per weight, in the order of the bytes.
        parts: One buffer per weight; views wherever the stored bytes are those of the source.
        shard_size_bytes: Length of every shard but the last.
        index: 1-based number of the group in file names.
    """

    specs: tuple[WeightSpec, ...]
    parts: tuple[memoryview, ...]
    shard_size_bytes: int
    index: int = 1
    _ends: tuple[int, ...] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ends", tuple(itertools.accumulate(part.nbytes for part in self.parts)))

    @property
    def nbytes(self) -> int:
        """Length of all parts together, in bytes."""
        return self._ends[-1] if self._ends else 0

    @property
    def shard_names(self) -> tuple[str, ...]:
        """File names ``group{g}-shard{i}of{n}.bin``, as the official converter writes them."""
        count = -(-self.nbytes // self.shard_size_bytes)
        return tuple(f"group{self.index}-shard{i + 1}of{count}.bin" for i in range(count))

    def slices(self, offset: int, length: int) -> Iterator[memoryview]:
        """Yield the pieces of [offset, offset + length) without copying them."""
        end = min(offset + length, self.nbytes)
        for i in range(bisect.bisect_right(self._ends, offset), len(self.parts)):
            start_of_part = self._ends[i] - self.parts[i].nbytes
            if start_of_part >= end:
                return
            yield self.parts[i][max(offset - start_of_part, 0) : end - start_of_part]

    def shards(self) -> Iterator[tuple[str, Iterator[memoryview]]]:
        """Yield each shard's file name and its pieces, in order."""
        for i, name in enumerate(self.shard_names):
            yield name, self.slices(i * self.shard_size_bytes, self.shard_size_bytes)

    def to_json(self) -> dict[str, Any]:
        """Return the group as TF.js's ``weightsManifest`` lists it."""
        return {"paths": list(self.shard_names), "weights": [spec.to_json() for spec in self.specs]}


@dataclasses.dataclass(frozen=True)
class LayerTensor:
    """The tensor of the converted model that is the output of a Keras layer.

    Attributes:
        label: The layer's name behind those of the models around it ("encoder/conv"), with the number of the call if it
            is called several times.
        layer_class: Its class in Keras.
        tensor: Ref of a node of a graph model, name of a layer of a layers model; "" if none holds that output.
        why_not: Why none does, as half a sentence; "" if one does.
        inputs: Labels of the layers with a tensor that are computed before it without another one between, and of those
            that lie between and cannot be compared.
    """

    label: str
    layer_class: str
    tensor: str
    why_not: str = ""
    inputs: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PassReport:
    """What one pass did: how often it applied, and why it declined elsewhere.

    Attributes:
        misses: Sentence → how often.
        declined: Op type → the sentences.
        held_back: How often it would have applied for another target.
    """

    name: str
    applied: int
    misses: Mapping[str, int] = dataclasses.field(default_factory=dict)
    declined: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    held_back: int = 0


@dataclasses.dataclass(frozen=True)
class WeightRow:
    """What quantization costs one weight.

    Attributes:
        dtype: As it is stored.
        nbytes: As it is stored.
        error: Root of the summed squared errors, relative to that of the values.
        channel_error: The same per output channel, the median of them.
        adds: Root mean squared error that it alone adds to the outputs if it is stored as uint8, relative to them;
            None where nobody measured it.
    """

    name: str
    dtype: str
    nbytes: int
    error: float
    channel_error: float
    adds: float | None = None


@dataclasses.dataclass(frozen=True)
class ConversionReport:
    """What happened on the way; the summary in the notebook is made from it.

    Attributes:
        source: What was converted, in a few words: "Keras model 'mobilenetv2'".
        reasons: Why this format, one sentence each.
        trainable: Whether TF.js can train the result.
        ops: Op type (layer class for a layers model) → how many executed nodes have it.
        backends: Backend → the ops that it lacks; empty when it can run everything.
        caveats: Backend → what may come out otherwise there, depending on the values, a sentence each.
        passes: What each graph pass did.
        notes: Lossy or unusual things that the user should know, once each.
        weights: What quantization costs each weight; none where nothing is quantized.
        speed: Of a layers model: how long its layers take as a graph model, as far as measured; "" where nothing is.
        advice: What would make it smaller or faster, with the numbers; at most four sentences.
        seconds: Stage → wall-clock seconds.
    """

    source: str
    reasons: tuple[str, ...] = ()
    trainable: bool = False
    ops: Mapping[str, int] = dataclasses.field(default_factory=dict)
    backends: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    passes: tuple[PassReport, ...] = ()
    notes: tuple[str, ...] = ()
    weights: tuple[WeightRow, ...] = ()
    speed: str = ""
    advice: tuple[str, ...] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the source is called: the first name that stands in quotes in ``source``."""
        found = re.search(r"'(.+?)'(?!\w)", self.source, re.DOTALL)
        return found[1] if found else self.source


#: Told the label of a layer and its output as soon as that is computed.
LayerListener = Callable[[str, Array], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The source as Python runs it, to compare the browser with.

    Attributes:
        call: Input name → array in, output name → array out; the names of the model.
        changed: Whether the source's weights are no longer those that were converted.
        run_layers: Runs the source on named inputs and tells the output of every layer, in the order of the calls; None
            if the source has no layers.
        by_xla: As ``call``, by XLA's kernels: other than TensorFlow's own they never are those of oneDNN. None if the
            source cannot be computed so.
    """

    call: Callable[[Mapping[str, Array]], dict[str, Array]]
    changed: Callable[[], bool]
    run_layers: Callable[[Mapping[str, Array], LayerListener], None] | None = None
    by_xla: Callable[[Mapping[str, Array]], dict[str, Array]] | None = None

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the source on named inputs."""
        return self.call(inputs)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Artifacts:
    """What a TF.js model in memory is made of: a snapshot, training the source changes nothing in it.

    Attributes:
        format: "layers-model" or "graph-model".
        inputs: The user's names, in the user's order.
        outputs: The user's names, in the user's order.
        topology: ``modelTopology`` of ``model.json``.
        header: What else ``model.json`` says; see :func:`model_header`.
        groups: The weight bytes; one group unless it was loaded from files with more.
        reference: Python's side of the comparison, or None if there is no source.
        layers: Where the outputs of the source's layers are, in the order of the calls; empty if it has none.
    """

    format: ModelFormat
    inputs: Sequence[TensorInfo]
    outputs: Sequence[TensorInfo]
    topology: Mapping[str, Any]
    header: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    groups: tuple[ManifestGroup, ...]
    report: ConversionReport
    reference: Reference | None = None
    layers: tuple[LayerTensor, ...] = ()

    @property
    def model_json(self) -> dict[str, Any]:
        """Exactly what ``model.json`` holds."""
        return {
            "format": self.format,
            **self.header,
            "modelTopology": self.topology,
            "weightsManifest": [group.to_json() for group in self.groups],
        }

    @property
    def nbytes(self) -> int:
        """Length of the weight files, in bytes."""
        return sum(group.nbytes for group in self.groups)

    def read_weights(self, offset: int, length: int) -> bytes:
        """Copy ``length`` bytes from ``offset`` of all groups' bytes end to end (fewer at the end)."""
        pieces: list[memoryview] = []
        for group in self.groups:
            if offset < group.nbytes and length > 0:
                pieces += group.slices(offset, length)
                length -= min(group.nbytes - offset, length)
            offset = max(offset - group.nbytes, 0)
        return b"".join(pieces)


def model_header(
    *,
    generated_by: str,
    signature: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    initializer: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the keys of ``model.json`` beside format, topology and weights; those without a value are left out.

    Args:
        generated_by: What the source came from: "keras v3.15.1" or "2.21.0" for a graph.
        signature: For a graph model: {"inputs": …, "outputs": …} as JSON of a ``SignatureDef``.
        metadata: ``userDefinedMetadata``.
        initializer: ``modelInitializer``: a topology that TF.js runs before the first inference.
        training: ``trainingConfig`` of a layers model: loss, metrics and optimizer.
    """
    given = {
        "signature": signature,
        "userDefinedMetadata": metadata or None,
        "modelInitializer": initializer,
        "trainingConfig": training,
    }
    header = {"generatedBy": generated_by, "convertedBy": f"tfjs_magic v{__version__}"}
    return header | {key: value for key, value in given.items() if value is not None}
