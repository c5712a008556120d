"""What tfjs-layers asks of a backend that computes it wrongly: the report of a layers model says it.

webgpu cannot turn a mask around, as recurrent layers do with theirs: the shader does not compile, and zeros come out.

Source: tfjs-layers 4.22 ``dist/layers/recurrent.js``, ``rnn``; tfjs-backend-webgpu ``dist/transpose_webgpu.js``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfjs_magic.layers.functional import MappedModel
from tfjs_magic.layers.masks import masked_readers
from tfjs_magic.options import BACKENDS, Backend

#: Backend → what finds the tfjs classes that it computes wrongly in a model.
_WRONG: Mapping[Backend, Callable[[MappedModel], set[str]]] = {"webgpu": masked_readers}


def wrong_per_backend(root: MappedModel) -> dict[str, tuple[str, ...]]:
    """Return backend → the model's tfjs classes that it computes wrongly, sorted."""
    return {name: tuple(sorted(_WRONG[name](root))) if name in _WRONG else () for name in BACKENDS}
