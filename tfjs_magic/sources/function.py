"""Functions and modules in memory: what they compute becomes one graph model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array, Reference
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.any_cpu import on_any_cpu
from tfjs_magic.sources.source import Endpoint, FunctionSource
from tfjs_magic.sources.tensors import (
    change_detector,
    check_names,
    default_signature,
    dims,
    op_name,
    tensor_info,
    unique_names,
    wanted_shape,
)

_CONCRETE = tf.types.experimental.ConcreteFunction
_POLYMORPHIC = tf.types.experimental.PolymorphicFunction


def function_source(
    function: Any, options: ConvertOptions, description: str | None = None, *, owner: object = None
) -> FunctionSource:
    """Take a ``tf.function`` or a concrete function.

    Args:
        function: Taken as it is if it is concrete, else its one trace.
        options: ``inputs`` and, for a function that is not traced, their types.
        description: For messages and the report; by default the function's name.
        owner: Kept alive with the source: what a function of a loaded SavedModel reads.

    Raises:
        UnsupportedModelError: Its inputs are unknown, or an input or output is no tensor that TF.js has.
    """
    description = description or f"Function '{_name(function)}'"
    concrete = function if isinstance(function, _CONCRETE) else _concrete(function, options, description)
    signature = concrete.structured_input_signature
    rows = list(_named_inputs(concrete, signature))
    leaves = [leaf for _, leaf in rows]
    if bad := [name for name, leaf in rows if not isinstance(leaf, tf.TensorSpec)]:
        raise UnsupportedModelError(
            f"{description} takes ragged or sparse inputs {quoted_list(bad)}; expected dense tensors.", stage="trace"
        )
    names = unique_names([name for name, _ in rows])
    check_names(description, names, options.inputs)
    specs = {
        name: tf.TensorSpec(wanted_shape(name, dims(leaf), options.inputs), leaf.dtype)
        for name, leaf in zip(names, leaves, strict=True)
    }

    def run(tensors: Sequence[Any], _: object = owner) -> Any:  # the default keeps the owner alive
        args, keywords = _filled(signature, iter(tensors))
        return concrete(*args, **keywords)

    return traced_source(run, specs, description=description)


def module_source(module: Any, options: ConvertOptions, what: str | None = None) -> FunctionSource:
    """Take a ``tf.Module``, or what ``tf.saved_model.load`` gave: one of its signatures or functions.

    Args:
        module: What has them.
        options: ``signature`` names one of them.
        what: For messages and the report; by default its kind.

    Raises:
        UnsupportedModelError: It has no function of that name, or several and none is the obvious one.
    """
    if what is None:
        kind = "tf.Module" if isinstance(module, tf.Module) else "object"
        loaded = isinstance(getattr(module, "signatures", None), Mapping)
        what = "loaded SavedModel" if loaded else f"{kind} '{type(module).__name__}'"
    candidates = {**_functions(module), **_signatures(module)}
    if not candidates:
        raise UnsupportedModelError(
            f"The {what} has no tf.function, so it does not say what to convert. Decorate one method with "
            "@tf.function(input_signature=[…])."
        )
    name = options.signature or _obvious(module, candidates, options)
    if name is None or name not in candidates:
        found = f"no signature or function '{name}'" if name else "several functions and none is the obvious one"
        raise UnsupportedModelError(
            f"The {what} has {found}; it has {quoted_list(candidates)}. Name one with signature=."
        )
    part = "signature" if name in _signatures(module) else "function"
    return function_source(candidates[name], options, f"{what[0].upper()}{what[1:]}, {part} '{name}'")


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


# ---------------------------------------------------------------------- which function


def _concrete(function: Any, options: ConvertOptions, description: str) -> Any:
    """Return the one trace that the user can mean."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    wanted = options.inputs or {}
    if wanted and all(isinstance(spec, tf.TensorSpec) for spec in wanted.values()):
        try:
            return function.get_concrete_function(**wanted)
        except Exception as error:  # TensorFlow raises whatever the user's code provokes
            reason = reason_of(error, end=True)
            msg = f"{description} cannot be traced with inputs={quoted_list(wanted)}: {type(error).__name__}: {reason}."
            raise UnsupportedModelError(msg, stage="trace") from error
    traces = _traces(function)
    if len(traces) == 1:
        return traces[0]
    found = f"it was traced {len(traces)} times" if traces else "it was never traced and has no input_signature"
    raise UnsupportedModelError(
        f"{description} does not say what its inputs are: {found}. Pass inputs={{name: tf.TensorSpec(shape, dtype)}}, "
        "or its get_concrete_function(…)."
    )


def _traces(function: Any) -> list[Any]:
    listed = function._list_all_concrete_functions_for_serialization()  # noqa: SLF001 - none is public; TF 2.21
    return list(listed)


def _name(function: Any) -> str:
    name = getattr(function, "__name__", None) or getattr(function, "name", "")
    text = name.decode() if isinstance(name, bytes) else str(name)
    return re.sub(r"^__inference_(.+)_\d+$", r"\1", text)


def _signatures(module: Any) -> Mapping[str, Any]:
    found = getattr(module, "signatures", None)
    return found if isinstance(found, Mapping) else {}


def _functions(module: Any) -> dict[str, Any]:
    """Return the methods and attributes that are functions of TensorFlow, by name; runs no property."""
    kinds = (_POLYMORPHIC, _CONCRETE)
    names = sorted({*dir(type(module)), *vars(module)})
    found = [name for name in names if isinstance(inspect.getattr_static(module, name, None), kinds)]
    return {name: getattr(module, name) for name in found}


def _obvious(module: Any, candidates: Mapping[str, Any], options: ConvertOptions) -> str | None:
    signatures = _signatures(module)
    if signatures:
        return default_signature(signatures)
    if "__call__" in candidates or len(candidates) == 1:
        return "__call__" if "__call__" in candidates else next(iter(candidates))
    ready = [name for name, function in candidates.items() if _is_ready(function)]
    return ready[0] if len(ready) == 1 and not options.inputs else None


def _is_ready(function: Any) -> bool:
    return isinstance(function, _CONCRETE) or function.input_signature is not None or len(_traces(function)) == 1


# ---------------------------------------------------------------------- names


def _named_inputs(concrete: Any, signature: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and spec of every tensor, in the order in which TensorFlow flattens the arguments."""
    args, keywords = signature
    parameters = list(concrete.function_type.parameters)
    offset = 1 if parameters and parameters[0] == "self" else 0
    named = [
        (parameters[i] if i < len(parameters) else f"args_{i - offset}", arg) for i, arg in enumerate(args, offset)
    ]
    for path, spec in _leaves(*named, *sorted(keywords.items())):
        if isinstance(spec, tf.TypeSpec):
            own = getattr(spec, "name", None)
            automatic = re.sub(r"[^A-Za-z0-9_.]", "_", "_".join(path))
            yield ("/".join(path) if own in (None, automatic) else own), spec


def _named_outputs(result: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and tensor: keys of a dict, else positions as SavedModel has them; None is no output."""
    rows = list(_children(result)) if isinstance(result, Mapping) else list(enumerate(_listed(result)))
    for path, tensor in _leaves(*((key if isinstance(key, str) else f"output_{key}", node) for key, node in rows)):
        if tensor is not None:
            yield "/".join(path), tensor


def _listed(result: Any) -> Sequence[Any]:
    return result if isinstance(result, (list, tuple)) else [result]


def _leaves(*rows: tuple[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of what is no structure any more."""
    for key, node in rows:
        if isinstance(node, (Mapping, list, tuple)):
            yield from (((key, *path), leaf) for path, leaf in _leaves(*_children(node)))
        else:
            yield (key,), node


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        yield from ((str(key), node[key]) for key in sorted(node))
    elif hasattr(node, "_fields"):
        yield from zip(node._fields, node, strict=True)
    else:
        yield from ((str(i), child) for i, child in enumerate(node))


def _filled(node: Any, tensors: Iterator[Any]) -> Any:
    """Put the tensors in the places of the specs, in the order of :func:`_named_inputs`."""
    if isinstance(node, tf.TypeSpec):
        return next(tensors)
    if isinstance(node, Mapping):
        filled = {key: _filled(node[key], tensors) for key in sorted(node)}
        return {key: filled[key] for key in node}
    if isinstance(node, (list, tuple)):
        items = [_filled(child, tensors) for child in node]
        return type(node)(*items) if hasattr(node, "_fields") else type(node)(items)
    return node


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
