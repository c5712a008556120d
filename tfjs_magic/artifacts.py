"""A converted model in memory, and what it is made of.

Format authority: tfjs ``tfjs-core/src/io/types.ts`` (``ModelJSON``, ``WeightsManifestConfig``), 4.22.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from tfjs_magic.errors import UnsupportedModelError

if TYPE_CHECKING:
    from tfjs_magic.bench.widget import Benchmark

ModelFormat = Literal["layers-model", "graph-model"]
Array = NDArray[Any]


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output under the user's own name.

    Attributes:
        dtype: TF.js dtype: "float32", "int32", "bool", "complex64" or "string".
        shape: None for an unknown dimension; None instead of the tuple for an unknown rank.
        upper_bound: For indices into an embedding or a table: valid values are in [0, upper_bound).
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    upper_bound: int | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class WeightEntry:
    """A weight in memory. ``data`` may be a read-only view of the source's own buffer."""

    name: str
    data: Array


@dataclasses.dataclass(frozen=True)
class Quantization:
    """How stored integers (or float16) become float32: ``stored * scale + min``; float16 has neither."""

    dtype: Literal["float16", "uint8", "uint16"]
    scale: float | None = None
    min: float | None = None


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
class PassReport:
    """What one pass did: how often it applied, and why it declined elsewhere (sentence → how often)."""

    name: str
    applied: int
    misses: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ConversionReport:
    """What happened on the way; the summary in the notebook is made from it.

    Attributes:
        source: What was converted, in a few words: "Keras model 'mobilenetv2'".
        reasons: Why this format, one sentence each.
        trainable: Whether TF.js can train the result.
        ops: Op type (layer class for a layers model) → how many executed nodes have it.
        backends: Backend → the ops that it lacks; empty when it can run everything.
        passes: What each graph pass did.
        notes: Lossy or unusual things that the user should know, once each.
        advice: What would make it smaller or faster, with the numbers; at most three sentences.
        seconds: Stage → wall-clock seconds.
    """

    source: str
    reasons: tuple[str, ...] = ()
    trainable: bool = False
    ops: Mapping[str, int] = dataclasses.field(default_factory=dict)
    backends: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    passes: tuple[PassReport, ...] = ()
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    seconds: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The source as Python runs it, to compare the browser with.

    Attributes:
        call: Input name → array in, output name → array out; the names of the TfjsModel.
        changed: Whether the source's weights are no longer those that were converted.
    """

    call: Callable[[Mapping[str, Array]], dict[str, Array]]
    changed: Callable[[], bool]

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run the source on named inputs."""
        return self.call(inputs)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TfjsModel:
    """A TF.js web-format model in memory: a snapshot, training the source changes nothing in it.

    Attributes:
        format: "layers-model" or "graph-model".
        inputs: The user's names, in the user's order.
        outputs: The user's names, in the user's order.
        model_json: Exactly what ``model.json`` holds.
        groups: The weight bytes; one group unless it was loaded from files with more.
        reference: Python's side of the comparison, or None if there is no source.
    """

    format: ModelFormat
    inputs: Sequence[TensorInfo]
    outputs: Sequence[TensorInfo]
    model_json: Mapping[str, Any]
    groups: tuple[ManifestGroup, ...]
    report: ConversionReport
    reference: Reference | None = None

    @property
    def nbytes(self) -> int:
        """Length of the weight files, in bytes."""
        return sum(group.nbytes for group in self.groups)

    @property
    def weights(self) -> dict[str, Array]:
        """Weight name → array as TF.js will hold it (quantized ones decoded). Views where nothing is decoded."""
        from tfjs_magic.weights.pack import unpack_weights  # noqa: PLC0415 - facade, see CONTRIBUTING

        return {entry.name: entry.data for group in self.groups for entry in unpack_weights(group)}

    def read_weights(self, offset: int, length: int) -> bytes:
        """Copy ``length`` bytes from ``offset`` of all groups' bytes end to end (fewer at the end)."""
        pieces: list[memoryview] = []
        for group in self.groups:
            if offset < group.nbytes and length > 0:
                pieces += group.slices(offset, length)
                length -= min(group.nbytes - offset, length)
            offset = max(offset - group.nbytes, 0)
        return b"".join(pieces)

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``model.json`` and the shards; see :func:`tfjs_magic.writers.directory.write_directory`."""
        from tfjs_magic.writers.directory import write_directory  # noqa: PLC0415

        return write_directory(self, directory, overwrite=overwrite)

    def to_keras(self) -> Any:
        """Return a layers model as a Keras 3 model with the same layer names and weights (quantized ones decoded).

        TF.js's hard sigmoid, which Keras 3 does not have, comes as a function registered as "tfjs_magic>hard_sigmoid".
        ``convert`` reads a file that holds it; for ``keras.models.load_model`` name it in ``custom_objects``, as
        ``tfjs_magic.layers.tfjs_functions.hard_sigmoid``.

        Raises:
            UnsupportedModelError: It is a graph model; or Keras cannot hold a layer or an option of it.
        """
        from tfjs_magic.layers.to_keras import keras_model  # noqa: PLC0415 - imports Keras

        self._check_layers("become a Keras model")
        return keras_model(self.model_json["modelTopology"], self.weights)

    def weights_into(self, model: Any) -> None:
        """Load the weights of a layers model, trained in TF.js, into the Keras 3 model that it was converted from.

        Args:
            model: That model, or one with the same layers under the same names.

        Raises:
            UnsupportedModelError: Names or shapes differ; nothing is loaded then.
        """
        from tfjs_magic.layers.topology import fill_weights  # noqa: PLC0415

        self._check_layers("give its weights to a Keras model")
        fill_weights(model, self.weights)

    def _check_layers(self, purpose: str) -> None:
        if self.format != "layers-model":
            raise UnsupportedModelError(f"A graph model cannot {purpose}: it holds a graph, not layers.")

    def benchmark(self, **options: Any) -> Benchmark:
        """Run it in this notebook's browser; see :func:`tfjs_magic.benchmark`."""
        from tfjs_magic.bench.widget import benchmark  # noqa: PLC0415

        return benchmark(self, **options)

    def _repr_html_(self) -> str:
        from tfjs_magic.writers.summary import summary_html  # noqa: PLC0415

        return summary_html(self)

    def __repr__(self) -> str:
        from tfjs_magic.writers.summary import summary_text  # noqa: PLC0415

        return summary_text(self)
