"""Let constants enter the loops that use them, so that TensorFlow can run what TF.js can.

Given:   y = Op(x, c)                        c a constant, x inside of a loop
Result:  y = Op(x, Enter(c, is_constant))

TF.js gives a bare constant to every round of a loop; TensorFlow's executor knows it outside of the loop alone.

Source: TensorFlow ``core/common_runtime/executor.cc`` (frames), 2.21.
"""

from __future__ import annotations

from collections.abc import Mapping

from tfjs_magic.graph.ir import Attr, Graph, Node
from tfjs_magic.graph.refs import NodeName, Ref

#: The Enter nodes that make one's loop and those around it, the outermost first; () outside of all.
_Frame = tuple[Attr, ...]


def enter_constants(graph: Graph) -> None:
    """Let every constant that a loop uses pass an Enter of each loop around its user."""
    frames = _frames(graph)
    entered: dict[tuple[NodeName, _Frame], Ref] = {}

    def inside(ref: Ref, frame: _Frame) -> Ref:
        source = graph.producer(ref)
        if not frame or source.value is None:
            return ref
        if (source.name, frame) not in entered:
            outer = inside(ref, frame[:-1])
            attrs: dict[str, Attr] = {
                "T": source.attrs["dtype"],
                "frame_name": frame[-1],
                "is_constant": True,
                "parallel_iterations": 10,
            }
            node = Node(graph.fresh_name(f"{source.name}/enter"), "Enter", [outer], attrs)
            entered[source.name, frame] = graph.add(node).ref()
        return entered[source.name, frame]

    for node in graph:
        frame = frames[node.name]
        outside = frame[:-1] if node.op == "Enter" else frame
        if outside:
            graph.set_inputs(node, [inside(ref, outside) for ref in node.inputs])


def _frames(graph: Graph) -> Mapping[NodeName, _Frame]:
    """Return the loops around each node; an Enter is in its own, an Exit outside of it."""
    frames: dict[NodeName, _Frame] = {node.name: () for node in graph}
    grows = True
    while grows:
        grows = False
        for node in graph:
            frame = max((frames[graph.producer(ref).name] for ref in node.inputs), key=len, default=())
            if node.op == "Enter":
                frame = (*frame, node.attrs["frame_name"])
            elif node.op == "Exit":
                frame = frame[:-1]
            if len(frame) > len(frames[node.name]):
                frames[node.name], grows = frame, True
    return frames
