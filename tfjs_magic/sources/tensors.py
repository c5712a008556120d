"""What every kind of source asks of TensorFlow's tensors and variables: names, dtypes, shapes, values that changed.

Imports no TensorFlow: layers models are converted without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfjs_magic.artifacts import Array, Dims, TensorInfo
from tfjs_magic.errors import UnsupportedModelError, quoted_list
from tfjs_magic.naming import first_free
from tfjs_magic.weights.dtypes import stored_dtype

#: That of a SavedModel, and that of a TF Hub module of TensorFlow 1.
_DEFAULT_SIGNATURES = ("serving_default", "default")


def tensor_info(name: str, tensor: Any, description: str) -> TensorInfo:
    """Describe a tensor or a ``tf.TensorSpec`` under its public name.

    Raises:
        UnsupportedModelError: TF.js has no such dtype.
    """
    dtype: str | None = tensor.dtype.name
    if dtype != "string":
        known = dtype not in {"resource", "variant"}
        dtype = stored_dtype(np.dtype(tensor.dtype.as_numpy_dtype)) if known else None
    if dtype is None:
        raise UnsupportedModelError(
            f"Tensor '{name}' of {description} has dtype {tensor.dtype.name}; TensorFlow.js has float32, int32, bool, "
            "complex64 and string. Cast it inside the model, or leave it out.",
            stage="trace",
        )
    return TensorInfo(name, dtype, dims(tensor))


def dims(tensor: Any) -> Dims | None:
    """Return the static shape of a tensor or a spec; None for an unknown rank."""
    return None if tensor.shape.rank is None else tuple(tensor.shape.as_list())


def op_name(name: str) -> str:
    """Return a name as TensorFlow takes it for an op."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("_.") or "input"


def unique_names(names: Sequence[str]) -> list[str]:
    """Number the later of equal names, the same at every conversion."""
    unique: list[str] = []
    for name in names:
        unique.append(first_free(name, {*unique, *names}) if name in unique else name)
    return unique


def change_detector(variables: Iterable[Any], read: Callable[[Any], Array]) -> Callable[[], bool]:
    """Return a function that tells whether a variable no longer holds what it holds now. NaN equals NaN.

    Random states are left out: every run of a model may change them.

    Args:
        variables: Keras's or TensorFlow's.
        read: Gives the value of one, which a later assignment must not change.
    """
    taken = [(variable, read(variable)) for variable in variables if not is_random_state(variable)]
    return lambda: not all(_same(array, read(variable)) for variable, array in taken)


def is_random_state(variable: Any) -> bool:
    """Tell the state of one of Keras's seed generators."""
    return str(variable.name).rpartition("/")[2].removesuffix(":0") == "seed_generator_state"


def _same(first: Array, second: Array) -> bool:
    if first.shape != second.shape:
        return False
    return bool(np.all((first == second) | ((first != first) & (second != second))))  # noqa: PLR0124 - NaN, of any dtype


def default_signature(signatures: Collection[str]) -> str:
    """Return the name of the default one, also if there is none, else that of the only one."""
    defaults = [name for name in _DEFAULT_SIGNATURES if name in signatures]
    return (*defaults, *(signatures if len(signatures) == 1 else ()), _DEFAULT_SIGNATURES[0])[0]


def chosen_signature(description: str, signatures: Collection[str], wanted: str | None) -> str:
    """Return the signature that the user asked for, else the default one, else the only one.

    Raises:
        UnsupportedModelError: It does not exist, or there are several and none is the default.
    """
    if wanted is None:
        wanted = default_signature(signatures)
    if wanted not in signatures:
        found = f"it has {quoted_list(signatures)}" if signatures else "it has none"
        raise UnsupportedModelError(f"{description} has no signature '{wanted}'; {found}. Name one with signature=.")
    return wanted


def kept_outputs(description: str, names: Sequence[str], wanted: Sequence[str] | None) -> tuple[int, ...]:
    """Return the positions of the outputs that were asked for, in the order asked for; "y:0" asks for "y".

    Raises:
        UnsupportedModelError: One does not exist, or is asked for twice.
    """
    positions = {name: i for i, name in enumerate(names)}
    if wanted is None:
        return tuple(range(len(names)))
    wanted = [name if name in positions else name.removesuffix(":0") for name in wanted]
    if unknown := [name for name in wanted if name not in positions]:
        raise UnsupportedModelError(f"{description} has no output '{unknown[0]}'; it has {quoted_list(positions)}.")
    if not wanted or len(set(wanted)) < len(wanted):
        raise UnsupportedModelError(f"outputs names {wanted}; expected each of {quoted_list(positions)} at most once.")
    return tuple(positions[name] for name in wanted)


def wanted_shape(name: str, shape: Dims | None, wanted: Mapping[str, Any] | None) -> Dims | None:
    """Return an input's shape after the user's wish: free dimensions may be fixed, others must stay.

    Args:
        name: The input's public name.
        shape: The model's own shape; None for an unknown rank.
        wanted: Input name → shape (None or -1 for a free dimension) or ``tf.TensorSpec``; None for its own shape.

    Raises:
        UnsupportedModelError: The wish does not fit the model.
    """
    if wanted is None or wanted.get(name) is None:
        return shape
    asked = getattr(wanted[name], "shape", wanted[name])
    fixed = tuple(None if size is None or int(size) == -1 else int(size) for size in asked)
    fits = shape is None or (
        len(fixed) == len(shape) and all(old in (None, new) for old, new in zip(shape, fixed, strict=True))
    )
    if not fits or any(size is not None and size < 1 for size in fixed):
        raise UnsupportedModelError(f"Input '{name}' has shape {shape}; {fixed} does not fit it.")
    return fixed


def check_names(
    description: str, names: Iterable[str], wanted: Mapping[str, Any] | None, *, inside: Iterable[str] | None = None
) -> None:
    """Refuse a wish for an input that the model does not have.

    Args:
        description: The source, for the message.
        names: Its inputs.
        wanted: What the user wishes, by name.
        inside: What may be named as well, where the model may begin inside.

    Raises:
        UnsupportedModelError: Names every such input.
    """
    known = list(names)
    if unknown := set(wanted or ()) - {*known, *(inside or ())}:
        hint = "" if inside is None else ", and its outputs are computed from no tensor of that name"
        raise UnsupportedModelError(
            f"inputs names {quoted_list(unknown)}; {description} has {quoted_list(known)}{hint}."
        )
