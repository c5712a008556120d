"""Input shapes as the user wants them: ``convert(inputs=…)``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tfjs_magic.errors import UnsupportedModelError, quoted_list

Shape = tuple[int | None, ...]


def wanted_shape(name: str, shape: Shape | None, wanted: Mapping[str, Any] | None) -> Shape | None:
    """Return an input's shape after the user's wish: free dimensions may be fixed, others must stay.

    Args:
        name: The input's public name.
        shape: The model's own shape; None for an unknown rank.
        wanted: Input name → shape (None or -1 for a free dimension) or ``tf.TensorSpec``.

    Raises:
        UnsupportedModelError: The wish does not fit the model.
    """
    if wanted is None or name not in wanted:
        return shape
    asked = getattr(wanted[name], "shape", wanted[name])
    fixed = tuple(None if size is None or int(size) == -1 else int(size) for size in asked)
    fits = shape is None or (
        len(fixed) == len(shape) and all(old in (None, new) for old, new in zip(shape, fixed, strict=True))
    )
    if not fits or any(size is not None and size < 1 for size in fixed):
        raise UnsupportedModelError(f"Input '{name}' has shape {shape}; {fixed} does not fit it.")
    return fixed


def check_names(description: str, names: Iterable[str], wanted: Mapping[str, Any] | None) -> None:
    """Refuse a wish for an input that the model does not have.

    Raises:
        UnsupportedModelError: Names every such input.
    """
    known = list(names)
    if unknown := set(wanted or ()) - set(known):
        raise UnsupportedModelError(f"inputs names {quoted_list(unknown)}; {description} has {quoted_list(known)}.")
