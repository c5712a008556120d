"""Lower the suppression of boxes class by class, which TF.js lacks and detectors of the YOLO family end with.

Given:   y, s, c, n = CombinedNonMaxSuppression(boxes, scores, size_per_class, total, t, t')
         boxes (B, N, 1 or C, 4), scores (B, N, C) → y (B, M, 4), s and c (B, M), n (B,)
Result:  per image and class, NonMaxSuppressionV3; TopKV2 of all that the classes of an image keep; zeros after them

Boxes of the same score come in the order of their classes, where TensorFlow's order is by chance.

Refuses: the number of images, boxes or classes is unknown, or a size is computed; images times classes are over 128.
Source: TensorFlow ``core/kernels/image/non_max_suppression_op.cc``, ``BatchedNonMaxSuppressionOp``.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import Ref
from tfjs_magic.passes.lowering import FLOAT32, INT32, Lowering
from tfjs_magic.passes.rewrite import Miss, Rewrite

_MOST_RUNS = 128
#: Below every score.
_NONE = -3e38


@dataclasses.dataclass(frozen=True)
class _Match:
    """Sizes of the scores (B, N, C), of the boxes' third axis, and of what comes out per class and in all."""

    node: Node
    images: int
    boxes: int
    classes: int
    kinds: int
    per_class: int
    total: int


def _match(graph: Graph, node: Node) -> _Match | Miss | None:
    boxes, scores = (graph.shape(ref) for ref in node.inputs[:2])
    sizes = [graph.constant(ref) for ref in node.inputs[2:4]]
    if boxes is None or scores is None or None in (*boxes, *scores) or sizes[0] is None or sizes[1] is None:
        return Miss(
            "its counts are unknown: give inputs={…}, or end the model before, and call tf.image.nonMaxSuppressionAsync"
        )
    images, number, classes = (side or 0 for side in scores)
    if images * classes > _MOST_RUNS:
        return Miss("it would run over 128 times: end the model before it and call tf.image.nonMaxSuppressionAsync")
    per_class, total = (int(size) for size in sizes if size is not None)
    if node.attrs.get("pad_per_class", False) is True:
        total = min(total, per_class * classes)
    return _Match(node, images, number, classes, boxes[2] or 0, per_class, total)


def _apply(graph: Graph, match: _Match) -> None:
    node, new = match.node, Lowering(graph, match.node)
    images = [_kept(graph, new, match, image) for image in range(match.images)]
    for port, parts in enumerate(zip(*images, strict=True)):
        dtype = INT32 if port == 3 else FLOAT32
        graph.replace_uses(node.ref(port), new.add("Pack", *parts, axis=0, N=len(parts), T=dtype))


def _kept(graph: Graph, new: Lowering, match: _Match, image: int) -> tuple[Ref, Ref, Ref, Ref]:
    """Return the boxes (M, 4), scores (M,), classes (M,) and number of those of an image that are kept."""
    boxes, scores, kinds = [], [], []
    of_kinds = [_boxes(new, match, image, kind) for kind in range(match.kinds)]
    for kind in range(match.classes):
        own, chances = of_kinds[kind % match.kinds], _scores(new, match, image, kind)
        size, limits = new.constant(match.per_class), match.node.inputs[4:6]
        found = new.add("NonMaxSuppressionV3", own, chances, size, *limits, T=FLOAT32, T_threshold=FLOAT32)
        graph.set_shape(found, (None,))
        boxes.append(_gather(new, own, found))
        scores.append(_gather(new, chances, found))
        kinds.append(
            new.add(
                "Fill",
                new.add("Shape", found, T=INT32, out_type=INT32),
                new.constant(kind, "float32"),
                T=FLOAT32,
                index_type=INT32,
            )
        )
    count = new.size(_joined(new, scores), 0)
    spare = match.total
    scores.append(new.constant(np.full(spare, _NONE), "float32"))
    boxes.append(new.constant(np.zeros((spare, 4)), "float32"))
    kinds.append(new.constant(np.zeros(spare), "float32"))
    best = graph.producer(new.add("TopKV2", _joined(new, scores), new.constant(match.total), T=FLOAT32, sorted=True))
    number = new.integer("Minimum", count, match.total)
    is_there = new.add("Less", new.constant(np.arange(match.total)), number, T=INT32)
    graph.set_shape(best.ref(0), (match.total,))
    graph.set_shape(best.ref(1), (match.total,))
    corners = _gather(new, _joined(new, boxes), best.ref(1))
    if match.node.attrs.get("clip_boxes", True) is True:
        corners = new.add("Minimum", corners, new.constant(1, "float32"), T=FLOAT32)
        corners = new.add("Maximum", corners, new.constant(0, "float32"), T=FLOAT32)
    nothing = new.constant(0, "float32")
    return (
        corners,
        new.add("SelectV2", is_there, best.ref(0), nothing, T=FLOAT32),
        _gather(new, _joined(new, kinds), best.ref(1)),
        number,
    )


def _boxes(new: Lowering, match: _Match, image: int, kind: int) -> Ref:
    begin, size = new.constant([image, 0, kind, 0]), new.constant([1, match.boxes, 1, 4])
    own = new.add("Slice", match.node.inputs[0], begin, size, T=FLOAT32, Index=INT32)
    return new.reshape(own, [match.boxes, 4], FLOAT32)


def _scores(new: Lowering, match: _Match, image: int, kind: int) -> Ref:
    begin, size = new.constant([image, 0, kind]), new.constant([1, match.boxes, 1])
    own = new.add("Slice", match.node.inputs[1], begin, size, T=FLOAT32, Index=INT32)
    return new.reshape(own, [match.boxes], FLOAT32)


def _gather(new: Lowering, data: Ref, places: Ref) -> Ref:
    attrs: dict[str, Attr] = {"Tparams": FLOAT32, "Tindices": INT32, "Taxis": INT32, "batch_dims": 0}
    return new.add("GatherV2", data, places, new.constant(0), **attrs)


def _joined(new: Lowering, parts: list[Ref]) -> Ref:
    if len(parts) == 1:
        return parts[0]
    return new.add("ConcatV2", *parts, new.constant(0), T=FLOAT32, Tidx=INT32, N=len(parts))


PASS = Rewrite(__name__, frozenset({"CombinedNonMaxSuppression"}), _match, _apply)
