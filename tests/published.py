"""Models that others published, with what they computed there: too large for the repository."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tfjs_magic.artifacts import Array

MODELS = Path(os.environ.get("TFJS_MAGIC_MODELS", Path(__file__).parents[2] / "shared" / "models"))


def published(name: str) -> Path:
    """Return the folder of a published model; skips where it is not at hand."""
    if not (MODELS / name).is_dir():
        pytest.skip(f"the published models are not in {MODELS}; TFJS_MAGIC_MODELS names their folder")
    return MODELS / name


def published_sample(name: str, model: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the inputs and outputs that were published with a model."""
    with np.load(published(name) / "reference.npz") as arrays:
        rows = {key: arrays[key] for key in arrays}
    prefix = f"{model}|" if model else ""
    pairs = [
        {key.removeprefix(f"{kind}:{prefix}").removesuffix(":0"): rows[key] for key in rows if _of(key, kind, prefix)}
        for kind in ("in", "out")
    ]
    return pairs[0], pairs[1]


def _of(key: str, kind: str, prefix: str) -> bool:
    return key.startswith(f"{kind}:{prefix}")
