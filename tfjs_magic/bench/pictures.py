"""Models that take one picture: what a page must know to let its reader try one."""

from __future__ import annotations

from typing import Any

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.contender import Contender
from tfjs_magic.errors import OptionError
from tfjs_magic.options import BenchmarkOptions

_IMAGE_RANK = 4
_CHANNELS = {1, 3, 4}


def picture_input(contender: Contender, options: BenchmarkOptions) -> dict[str, Any] | None:
    """Return name, dtype and size of the one input that takes a picture, and what the reader said of it; None if none.

    Where the model leaves height or width open, they are those of the sample that is timed.

    Raises:
        OptionError: As many names were given as no output has values.
    """
    model = contender.model
    if len(model.inputs) != 1 or model.inputs[0].dtype not in {"float32", "int32"}:
        return None
    (info,) = model.inputs
    shape = list(contender.feeds[contender.timed[0].feed][info.name].shape)
    free = info.shape is not None and info.shape[:1] in {(None,), (1,)}
    if len(shape) != _IMAGE_RANK or not free or shape[-1] not in _CHANNELS or 0 in shape:
        return None
    names = None if options.class_names is None else [*options.class_names]
    if names is not None:
        _check_names(model, len(names))
    size = {"input": info.name, "dtype": info.dtype, "shape": [1, *shape[1:]]}
    return {**size, "pixels": options.pixels, "class_names": names}


def _check_names(model: Artifacts, count: int) -> None:
    lengths = {info.name: info.shape[-1] for info in model.outputs if info.shape}
    if lengths and None not in lengths.values() and count not in lengths.values():
        found = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise OptionError(f"class_names holds {count} names; of the outputs, {found}.")
