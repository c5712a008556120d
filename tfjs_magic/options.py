"""Every option and every default, once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

Format = Literal["auto", "layers", "graph"]
QuantizationDtype = Literal["float16", "uint8", "uint16"]
Backend = Literal["webgpu", "webgl", "wasm", "cpu"]

FORMATS: tuple[Format, ...] = get_args(Format)
QUANTIZATION_DTYPES: tuple[QuantizationDtype, ...] = get_args(QuantizationDtype)
#: What a line says → ``unroll``.
UNROLL: dict[str, bool | Literal["auto"]] = {"auto": "auto", "all": True, "none": False}
#: Fastest first: the order in which the browser tries them when none is named.
BACKENDS: tuple[Backend, ...] = get_args(Backend)

#: TF.js's own default (tfjs-core ``io_utils.ts``): a shard that browsers cache.
DEFAULT_SHARD_SIZE_BYTES = 4 * 2**20
DEFAULT_RUNS = 50

#: Called with the step that begins ("trace", "passes", …); may be slow, must not raise.
Progress = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What ``convert`` was asked for, checked.

    Attributes:
        quantize: Dtype → name patterns (``fnmatch``); ``("*",)`` for all. Only float32 weights are touched.
        inputs: Input name → static shape, or a ``tf.TensorSpec``.
    """

    format: Format = "auto"
    signature: str | None = None
    tags: tuple[str, ...] = ("serve",)
    inputs: Mapping[str, Any] | None = None
    outputs: tuple[str, ...] | None = None
    quantize: Mapping[QuantizationDtype, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE_BYTES
    strip_debug_ops: bool = True
    skip_op_check: bool = False
    metadata: Mapping[str, Any] | None = None
    unroll: bool | Literal["auto"] = "auto"
    trust: bool = False
    progress: Progress | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format is '{self.format}'; expected one of {', '.join(FORMATS)}.")
        if self.unroll not in (True, False, "auto"):
            raise ValueError(f"unroll is {self.unroll!r}; expected True, False or 'auto'.")
        if self.inputs is not None and not isinstance(self.inputs, Mapping):
            raise ValueError("inputs is no mapping; expected input name → shape, such as {'image': (1, 224, 224, 3)}.")
        if not isinstance(self.weight_shard_size_bytes, int) or self.weight_shard_size_bytes < 1:
            raise ValueError(f"weight_shard_size_bytes is {self.weight_shard_size_bytes}; expected at least 1.")
        try:
            json.dumps(self.metadata, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"metadata cannot be written as JSON: {error}.") from error
        for dtype in self.quantize:
            if dtype not in QUANTIZATION_DTYPES:
                raise ValueError(f"quantize names '{dtype}'; expected one of {', '.join(QUANTIZATION_DTYPES)}.")

    def step(self, name: str) -> None:
        """Tell the caller's progress callback that a step begins."""
        if self.progress is not None:
            self.progress(name)


def quantize_patterns(
    quantize: str | Mapping[str, str | list[str] | tuple[str, ...]] | None,
) -> dict[Any, tuple[str, ...]]:
    """Normalise the public ``quantize`` argument: ``"uint8"`` means ``{"uint8": ("*",)}``."""
    if quantize is None:
        return {}
    if isinstance(quantize, str):
        return {quantize: ("*",)}
    return {dtype: (names,) if isinstance(names, str) else tuple(names) for dtype, names in quantize.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """What ``benchmark`` was asked for, checked.

    Attributes:
        backends: Backends to run, in this order; None for the fastest that works on real hardware.
        runs: Timed runs per model and backend.
        warmup: Runs before them that are shown apart; "auto" ends when latencies are stable.
        samples: Input name → array (leading axis: batch), an array, or a sequence of arrays in input order;
            None for seeded ones.
        tolerance: The user's own bound on the relative error; None for the table in ``bench/verify.py``.
        seed: Seeds the samples.
    """

    backends: tuple[Backend, ...] | None = None
    runs: int = DEFAULT_RUNS
    warmup: int | Literal["auto"] = "auto"
    samples: Any = None
    tolerance: float | None = None
    seed: int = 0
    headless: bool = False

    def __post_init__(self) -> None:
        for backend in self.backends or ():
            if backend not in BACKENDS:
                raise ValueError(f"backend '{backend}' does not exist; expected one of {', '.join(BACKENDS)}.")
        if self.runs < 1:
            raise ValueError(f"runs is {self.runs}; expected at least 1.")
        if self.warmup != "auto" and (not isinstance(self.warmup, int) or self.warmup < 0):
            raise ValueError(f"warmup is {self.warmup!r}; expected 'auto' or a whole number from 0.")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance!r}; expected a relative error from 0.")
