"""Every option and every default, once."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

from tfjs_magic.errors import OptionError

Format = Literal["auto", "layers", "graph"]
QuantizationDtype = Literal["float16", "uint8", "uint16"]
Backend = Literal["webgpu", "webgl", "wasm", "cpu"]
Target = Literal["auto", "wasm", "webgl", "webgpu"]

FORMATS: tuple[Format, ...] = get_args(Format)
#: What the magic and the command line take beside them: two models.
BOTH = "both"
QUANTIZATION_DTYPES: tuple[QuantizationDtype, ...] = get_args(QuantizationDtype)
TARGETS: tuple[Target, ...] = get_args(Target)
#: Fastest first: the order in which the browser tries them when none is named.
BACKENDS: tuple[Backend, ...] = get_args(Backend)

#: What ``browser=`` may name, beside the URL of a Selenium Grid.
BROWSERS = ("chrome", "firefox", "edge", "safari")
#: Stands for a browser where a model is verified, not measured.
NODE = "node"
#: What runs there.
NODE_BACKENDS: tuple[Backend, ...] = ("wasm", "cpu")

#: TF.js's own default (tfjs-core ``io_utils.ts``): a shard that browsers cache.
DEFAULT_SHARD_SIZE_BYTES = 4 * 2**20
DEFAULT_RUNS = 50
#: Bounds what a page can make the kernel hold, far above any real benchmark.
MAX_RUNS = 100_000
#: More examples in one call than any browser is asked for.
MAX_BATCH = 65_536
#: An hour; ``MAX_RUNS`` are the end in any case.
MAX_MIN_TIME_S = 3600

#: What the numbers of a picture become: its bytes are 0 to 255.
PIXELS = ("0..1", "-1..1", "0..255")

#: What :class:`AutoQuantize` may be held to.
BOUNDS = ("max_error", "min_cosine", "min_top1", "min_top5", "min_accuracy", "min_metric")

#: Called with the step that begins ("trace", "passes", …); may be slow, must not raise.
Progress = Callable[[str], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoQuantize:
    """Quantize as far as a bound allows that is measured: ``quantize=AutoQuantize(samples=x, max_error=0.01)``.

    Exactly one bound is given. All but the last two compare with the model in float32.

    Attributes:
        samples: Input name → array (first axis: examples), one array, or one per input: real data, of which
            ``held_back`` of the examples, the last ones, confirm what was found on the others.
        labels: (examples,): the right classes, for ``min_accuracy`` and ``metric``.
        max_error: Largest error of any output, relative to the largest value of that output.
        min_cosine: Least cosine of any output, over all examples.
        min_top1: Least share of examples whose largest value stands at the same place, in every output.
        min_top5: Least share whose largest value is among the five largest.
        min_accuracy: Least share of examples whose largest value stands at the label, in the first output.
        metric: Takes the outputs (one array each, in the model's order) and the labels, returns a number, more is
            better; with ``min_metric``.
        min_metric: Least value of the metric.
        held_back: Share of the examples that only confirm.

    Raises:
        OptionError: None or several bounds, or an option has a value that does not exist.
    """

    samples: Any
    labels: Any = None
    max_error: float | None = None
    min_cosine: float | None = None
    min_top1: float | None = None
    min_top5: float | None = None
    min_accuracy: float | None = None
    metric: Callable[[Any, Any], float] | None = None
    min_metric: float | None = None
    held_back: float = 0.25

    def __post_init__(self) -> None:
        given = [name for name in BOUNDS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "no bound"
            raise OptionError(f"AutoQuantize has {found}; expected one of {', '.join(BOUNDS)}.")
        value = getattr(self, self.bound)
        if not isinstance(value, (int, float)) or math.isnan(value):
            raise OptionError(f"{self.bound} is {value!r}; expected a number.")
        if self.bound == "max_error" and value < 0:
            raise OptionError(f"max_error is {value}; expected a relative error from 0.")
        if self.bound not in {"max_error", "min_metric"} and not 0 <= value <= 1:
            raise OptionError(f"{self.bound} is {value}; expected 0 to 1.")
        if (self.metric is None) != (self.min_metric is None):
            raise OptionError("metric and min_metric belong together; one of them is missing.")
        if self.metric is not None and not callable(self.metric):
            raise OptionError(f"metric is {self.metric!r}; expected a function of (outputs, labels).")
        if self.min_accuracy is not None and self.labels is None:
            raise OptionError("min_accuracy needs labels=, the right class of every example.")
        if not isinstance(self.held_back, (int, float)) or not 0 <= self.held_back < 1:
            raise OptionError(f"held_back is {self.held_back}; expected a share from 0 to below 1.")

    @property
    def bound(self) -> str:
        """The name of the bound that is given."""
        return next(name for name in BOUNDS if getattr(self, name) is not None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertOptions:
    """What ``convert`` was asked for, checked and in one form; ``convert`` describes each option.

    Attributes:
        quantize: Dtype → name patterns (``fnmatch``); ``("*",)`` for all. Only float32 weights are touched. Or an
            :class:`AutoQuantize`.

    Raises:
        OptionError: An option has a value that does not exist.
    """

    format: Format = "auto"
    signature: str | None = None
    tags: Sequence[str] = ("serve",)
    inputs: Mapping[str, Any] | None = None
    outputs: Sequence[str] | None = None
    quantize: Any = None
    weight_shard_size_bytes: int = DEFAULT_SHARD_SIZE_BYTES
    official_codes: bool = False
    skip_op_check: bool = False
    metadata: Mapping[str, Any] | None = None
    unroll: bool | Literal["auto"] = "auto"
    target: Target = "auto"
    inference: bool = False
    trust: bool = False
    progress: Progress | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        _set(self, tags=_names(self.tags), outputs=_names(self.outputs), quantize=_quantize_patterns(self.quantize))
        _check_format(self.format)
        if self.unroll not in (True, False, "auto"):
            raise OptionError(f"unroll is {self.unroll!r}; expected True, False or 'auto'.")
        if self.target not in TARGETS:
            raise OptionError(f"target is '{self.target}'; expected one of {', '.join(TARGETS)}.")
        if self.inputs is not None and not isinstance(self.inputs, Mapping):
            raise OptionError("inputs is no mapping; expected input name → shape, such as {'image': (1, 224, 224, 3)}.")
        if not isinstance(self.weight_shard_size_bytes, int) or self.weight_shard_size_bytes < 1:
            raise OptionError(f"weight_shard_size_bytes is {self.weight_shard_size_bytes}; expected at least 1.")
        if self.metadata is not None and not isinstance(self.metadata, Mapping):
            raise OptionError(f"metadata is {self.metadata!r}; expected a mapping, such as {{'labels': ['a', 'b']}}.")
        try:
            _set(
                self, metadata=json.loads(json.dumps(self.metadata, allow_nan=False))
            )  # whatever the caller does later
        except (TypeError, ValueError) as error:
            raise OptionError(f"metadata cannot be written as JSON: {error}.") from error
        _check_quantize(self.quantize, official_codes=self.official_codes)

    @property
    def patterns(self) -> Mapping[QuantizationDtype, tuple[str, ...]]:
        """What is quantized while the weights are packed: nothing where it is searched for afterwards."""
        return {} if isinstance(self.quantize, AutoQuantize) else self.quantize

    def step(self, name: str) -> None:
        """Tell the caller's progress callback that a step begins."""
        if self.progress is not None:
            self.progress(name)


def _check_quantize(quantize: AutoQuantize | Mapping[str, tuple[str, ...]], *, official_codes: bool) -> None:
    if isinstance(quantize, AutoQuantize):
        if official_codes:
            raise OptionError("official_codes belongs to quantize='uint8' and the like; AutoQuantize has closer codes.")
        return
    for dtype in quantize:
        if dtype == "auto":
            raise OptionError("quantize='auto' needs samples: quantize=AutoQuantize(samples=x, max_error=0.01).")
        if dtype not in QUANTIZATION_DTYPES:
            raise OptionError(f"quantize names '{dtype}'; expected one of {', '.join(QUANTIZATION_DTYPES)}.")


def _check_format(form: str) -> None:
    if form == BOTH:
        raise OptionError(
            "format is 'both', but convert returns one model; call it with 'layers' and with 'graph', and compare them "
            "by benchmark({'layers': a, 'graph': b})."
        )
    if form not in FORMATS:
        raise OptionError(f"format is '{form}'; expected one of {', '.join(FORMATS)}.")


def _quantize_patterns(quantize: Any) -> AutoQuantize | dict[Any, tuple[str, ...]]:
    """Return dtype → patterns: ``"uint8"`` means ``{"uint8": ("*",)}``."""
    if isinstance(quantize, AutoQuantize):
        return quantize
    rows = {quantize: "*"} if isinstance(quantize, str) else {} if quantize is None else quantize
    if not isinstance(rows, Mapping):
        raise OptionError(
            f"quantize is {quantize!r}; expected one of {', '.join(QUANTIZATION_DTYPES)}, a dict or an AutoQuantize."
        )
    return {dtype: _names(names) for dtype, names in rows.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkOptions:
    """What ``benchmark`` was asked for, checked and in one form; ``benchmark`` describes each option.

    Raises:
        OptionError: An option has a value that does not exist.
    """

    backends: Sequence[Backend] | None = None
    runs: int = DEFAULT_RUNS
    min_time: float = 0
    warmup: int | Literal["auto"] = "auto"
    samples: Any = None
    tolerance: float | None = None
    seed: int = 0
    batch: Sequence[int] = ()
    profile: bool = False
    class_names: Sequence[str] | None = None
    pixels: str | None = None
    browser: str | None = None

    def __post_init__(self) -> None:
        _set(self, backends=_listed("backends", self.backends), batch=_listed("batch", self.batch))
        _set(self, class_names=_class_names(self.class_names))
        if self.pixels is not None and self.pixels not in PIXELS:
            raise OptionError(f"pixels is {self.pixels!r}; expected one of {', '.join(PIXELS)}.")
        for backend in self.backends or ():
            if backend not in BACKENDS:
                raise OptionError(f"backend '{backend}' does not exist; expected one of {', '.join(BACKENDS)}.")
        self._check_counts()
        if not isinstance(self.min_time, (int, float)) or not 0 <= self.min_time <= MAX_MIN_TIME_S:
            raise OptionError(f"min_time is {self.min_time!r}; expected 0 to {MAX_MIN_TIME_S} seconds.")
        if self.tolerance is not None and not _is_from_zero(self.tolerance):
            raise OptionError(f"tolerance is {self.tolerance!r}; expected a relative error from 0.")
        _check_browser(self.browser, profile=self.profile)

    def _check_counts(self) -> None:
        if not isinstance(self.runs, int) or not 1 <= self.runs <= MAX_RUNS:
            raise OptionError(f"runs is {self.runs}; expected 1 to {MAX_RUNS}.")
        for size in self.batch:
            if not isinstance(size, int) or not 1 <= size <= MAX_BATCH:
                raise OptionError(f"batch is {size!r}; expected a whole number of examples from 1 to {MAX_BATCH}.")
        if self.warmup != "auto" and not (isinstance(self.warmup, int) and 0 <= self.warmup <= MAX_RUNS):
            raise OptionError(f"warmup is {self.warmup!r}; expected 'auto' or a whole number from 0 to {MAX_RUNS}.")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**32:
            raise OptionError(f"seed is {self.seed!r}; expected a whole number from 0, of 32 bits.")


def _is_from_zero(value: Any) -> bool:
    try:
        return bool(value >= 0)
    except TypeError:
        return False


def _check_browser(browser: str | None, *, profile: bool) -> None:
    if browser == NODE and profile:
        raise OptionError("profile needs a browser; Node only verifies.")
    if browser is not None and browser not in (*BROWSERS, NODE) and not (isinstance(browser, str) and _is_url(browser)):
        raise OptionError(
            f"browser is '{_without_password(browser)}'; expected one of {', '.join(BROWSERS)}, or the URL of a "
            "Selenium Grid, such as http://localhost:4444?browserName=firefox."
        )


def _without_password(browser: object) -> str:
    return re.sub(r"//.*@", "//", str(browser))


def _is_url(browser: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(browser)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False


def _names(given: Sequence[str] | None) -> Any:
    """Return a tuple of names, also of one that stands alone."""
    return (given,) if isinstance(given, str) else None if given is None else tuple(given)


def _listed(name: str, given: Any) -> Any:
    try:
        return _names(given)
    except TypeError:
        raise OptionError(f"{name} is {given!r:.80}; expected a list.") from None


def _class_names(given: Any) -> tuple[str, ...] | None:
    if isinstance(given, str):
        raise OptionError(f"class_names is {given[:80]!r}; expected a list of names.")
    try:
        return None if given is None else tuple(map(str, given))
    except TypeError:
        raise OptionError(f"class_names is {given!r:.80}; expected a list of names.") from None


def _set(options: object, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(options, name, value)  # the dataclass is frozen for everybody else
