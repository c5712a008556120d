"""Trace a function on flat tensors under public names: what functions, modules and Keras models have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array, Reference
from tfjs_magic.errors import UnsupportedModelError, reason_of
from tfjs_magic.sources.any_cpu import on_any_cpu
from tfjs_magic.sources.source import Endpoint, FunctionSource
from tfjs_magic.sources.tensors import change_detector, dims, op_name, tensor_info, unique_names


def traced_source(
    run: Callable[[Sequence[Any]], Any],
    specs: Mapping[str, Any],
    *,
    description: str,
    output_names: Sequence[str] | None = None,
    dict_output: bool | None = None,
    remedy: str = "Pass inputs={name: tf.TensorSpec(shape, dtype)} if its inputs are others.",
) -> FunctionSource:
    """Trace ``run`` on flat tensors; every output gets a node of its own, so that passing an input on is no exception.

    Args:
        run: Takes the tensors in the order of ``specs``; returns a tensor or a nested structure of them.
        specs: Input name → ``tf.TensorSpec``.
        description: For messages and the report.
        output_names: One per tensor of the result; by default its keys or positions.
        dict_output: Whether ``predict`` returns a dict; by default where ``run`` returns one of several tensors.
        remedy: What to do if it cannot be traced.

    Raises:
        UnsupportedModelError: It cannot be traced, or an input or output is no tensor that TF.js has.
    """
    if not specs:
        raise UnsupportedModelError(f"{description} has no tensor inputs; expected at least one.", stage="trace")
    inputs = [tensor_info(name, spec, description) for name, spec in specs.items()]

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def serving(*tensors: Any) -> Any:
        return _with_own_nodes(run(tensors))

    named = [tf.TensorSpec(spec.shape, spec.dtype, name=op_name(name)) for name, spec in specs.items()]
    function = _trace(serving, named, description, remedy)
    rows = list(_named_outputs(function.structured_outputs))
    names = unique_names([name for name, _ in rows]) if output_names is None else list(output_names)
    _check_outputs(description, dict(zip(names, (tensor for _, tensor in rows), strict=True)))
    if dict_output is None:
        dict_output = isinstance(function.structured_outputs, Mapping) and len(names) > 1
    return FunctionSource(
        function=function,
        inputs=tuple(
            Endpoint(info, tensor.op.name) for info, tensor in zip(inputs, function.inputs[: len(inputs)], strict=True)
        ),
        outputs=tuple(
            Endpoint(tensor_info(name, tensor, description), tensor.name.removesuffix(":0"))
            for name, tensor in zip(names, function.outputs, strict=True)
        ),
        reference=_reference(run, specs, names, function),
        description=description,
        dict_output=dict_output,
    )


def _with_own_nodes(node: Any) -> Any:
    """Let every tensor of a structure come out of a node of its own; the structure becomes one of Python's own."""
    if node is None:
        return None
    if isinstance(node, Mapping):
        return {key: _with_own_nodes(node[key]) for key in node}
    if isinstance(node, (list, tuple)):
        items = [_with_own_nodes(child) for child in node]
        return type(node)(*items) if hasattr(node, "_fields") else items
    return tf.identity(node)


def _trace(serving: Any, specs: Sequence[Any], description: str, remedy: str) -> Any:
    try:
        return serving.get_concrete_function(*specs)
    except UnsupportedModelError:
        raise
    except Exception as error:  # TensorFlow raises whatever the user's code provokes
        reason = reason_of(error, end=True)
        raise UnsupportedModelError(
            f"{description} cannot be traced with {_described(specs)}: {type(error).__name__}: {reason}. {remedy}",
            stage="trace",
        ) from error


def _described(specs: Sequence[Any]) -> str:
    return ", ".join(f"'{spec.name}' {spec.dtype.name} {dims(spec)}" for spec in specs)


def _reference(
    run: Callable[[Sequence[Any]], Any], specs: Mapping[str, Any], outputs: Sequence[str], function: Any
) -> Reference:
    @on_any_cpu
    def computed(*tensors: Any) -> list[Any]:
        return [tf.convert_to_tensor(tensor) for _, tensor in _named_outputs(run(tensors))]

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        given = [tf.convert_to_tensor(np.asarray(inputs[name]), spec.dtype) for name, spec in specs.items()]
        results = computed(*given)
        return dict(zip(outputs, map(np.asarray, results), strict=True))

    return Reference(call, change_detector(function.graph.variables, lambda v: np.asarray(v.read_value())))


# ---------------------------------------------------------------------- names of outputs


def _named_outputs(result: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and tensor: keys of a dict, else positions as SavedModel has them; None is no output."""
    rows = list(children(result)) if isinstance(result, Mapping) else list(enumerate(_listed(result)))
    for path, tensor in leaves(*((key if isinstance(key, str) else f"output_{key}", node) for key, node in rows)):
        if tensor is not None:
            yield "/".join(path), tensor


def _listed(result: Any) -> Sequence[Any]:
    return result if isinstance(result, (list, tuple)) else [result]


def leaves(*rows: tuple[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of what is no structure any more."""
    for key, node in rows:
        if isinstance(node, (Mapping, list, tuple)):
            yield from (((key, *path), leaf) for path, leaf in leaves(*children(node)))
        else:
            yield (key,), node


def children(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield key and value of a mapping, in the order in which TensorFlow flattens it, or of a sequence."""
    if isinstance(node, Mapping):
        yield from ((str(key), node[key]) for key in sorted(node))
    elif hasattr(node, "_fields"):
        yield from zip(node._fields, node, strict=True)
    else:
        yield from ((str(i), child) for i, child in enumerate(node))


def _check_outputs(description: str, outputs: Mapping[str, Any]) -> None:
    if not outputs:
        raise UnsupportedModelError(f"{description} returns no tensors; expected at least one.", stage="trace")
    for name, tensor in outputs.items():
        if not isinstance(tensor, tf.Tensor):
            raise UnsupportedModelError(
                f"{description} returns a {type(tensor).__name__} as '{name}'; expected dense tensors. Convert it "
                "inside the model, with to_tensor() or tf.sparse.to_dense().",
                stage="trace",
            )
