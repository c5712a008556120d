"""Functions and modules in memory: what they compute becomes one graph model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfjs_magic.artifacts import Array, Reference, TensorInfo
from tfjs_magic.errors import UnsupportedModelError, quoted_list, reason_of
from tfjs_magic.options import ConvertOptions
from tfjs_magic.sources.kinds import FunctionSource
from tfjs_magic.sources.shapes import check_names, wanted_shape
from tfjs_magic.weights.dtypes import stored_dtype

_CONCRETE = tf.types.experimental.ConcreteFunction
_POLYMORPHIC = tf.types.experimental.PolymorphicFunction
_DEFAULT_SIGNATURE = "serving_default"


def function_source(function: Any, options: ConvertOptions, description: str | None = None) -> FunctionSource:
    """Take a ``tf.function`` or a concrete function.

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
        name: tf.TensorSpec(wanted_shape(name, _shape(leaf), options.inputs), leaf.dtype)
        for name, leaf in zip(names, leaves, strict=True)
    }

    def run(tensors: Sequence[Any]) -> Any:
        rest = iter(tensors)
        args, keywords = _filled(signature, rest)
        return concrete(*args, **keywords)

    return traced_source(run, specs, description=description)


def module_source(module: Any, options: ConvertOptions) -> FunctionSource:
    """Take a ``tf.Module``, or what ``tf.saved_model.load`` gave: one of its signatures or functions.

    Raises:
        UnsupportedModelError: It has no function of that name, or several and none is the obvious one.
    """
    kind = type(module).__name__
    loaded = isinstance(getattr(module, "signatures", None), Mapping)
    what = "loaded SavedModel" if loaded else f"{'tf.Module' if isinstance(module, tf.Module) else 'object'} '{kind}'"
    candidates = {**_functions(module), **_signatures(module)}
    if not candidates:
        raise UnsupportedModelError(
            f"The {what} has no tf.function, so it does not say what to convert. Decorate one method with "
            "@tf.function(input_signature=[…])."
        )
    name = options.signature or _obvious(module, candidates, options)
    if name is None or name not in candidates:
        found = f"no function '{name}'" if name else "several functions and none is the obvious one"
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
    changed: Callable[[], bool] | None = None,
    output_names: Sequence[str] | None = None,
) -> FunctionSource:
    """Trace ``run`` on flat tensors; every output gets a node of its own, so that passing an input on is no exception.

    Args:
        run: Takes the tensors in the order of ``specs``; gives a tensor or a nested structure of them.
        specs: Input name → ``tf.TensorSpec``.
        description: For messages and the report.
        changed: Compares the weights; by default every variable that the trace reads.
        output_names: One per tensor of the result; by default its keys or positions.

    Raises:
        UnsupportedModelError: It cannot be traced, or an input or output is no tensor that TF.js has.
    """
    structure: list[Any] = []

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def serving(*tensors: Any) -> Any:
        result = run(tensors)
        structure.append(isinstance(result, Mapping))
        rows = list(_named_outputs(result))
        _check_tensors(description, rows)
        structure.append(unique_names([name for name, _ in rows]) if output_names is None else list(output_names))
        return [tf.identity(tensor) for _, tensor in rows]

    if not specs:
        raise UnsupportedModelError(f"{description} has no tensor inputs; expected at least one.", stage="trace")
    for name, spec in specs.items():
        _check_dtype(description, f"Input '{name}'", spec.dtype)
    named = [tf.TensorSpec(spec.shape, spec.dtype, name=_op_name(name)) for name, spec in specs.items()]
    function = _trace(serving, named, description)
    returns_dict, names = structure[-2:]
    reference = _reference(run, specs, names, function, changed)
    return FunctionSource(
        function=function,
        inputs=tuple(_info(name, spec) for name, spec in specs.items()),
        placeholders=tuple(tensor.op.name for tensor in function.inputs[: len(specs)]),
        outputs=tuple(_info(name, tensor) for name, tensor in zip(names, function.outputs, strict=True)),
        results=tuple(tensor.name.removesuffix(":0") for tensor in function.outputs),
        reference=reference,
        description=description,
        dict_output=returns_dict and len(names) > 1,
    )


def unique_names(names: Sequence[str]) -> list[str]:
    """Number the later of equal names, the same at every conversion."""
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in unique or (number > 1 and candidate in names):
            candidate, number = f"{name}_{number}", number + 1
        unique.append(candidate)
    return unique


def _trace(serving: Any, specs: Sequence[Any], description: str) -> Any:
    try:
        return serving.get_concrete_function(*specs)
    except UnsupportedModelError:
        raise
    except Exception as error:  # TensorFlow raises whatever the user's code provokes
        reason = reason_of(error, end=True)
        raise UnsupportedModelError(
            f"{description} cannot be traced with {_described(specs)}: {type(error).__name__}: {reason}. "
            "Pass inputs={name: tf.TensorSpec(shape, dtype)} if its inputs are others.",
            stage="trace",
        ) from error


def _described(specs: Sequence[Any]) -> str:
    return ", ".join(f"'{spec.name}' {spec.dtype.name} {_shape(spec)}" for spec in specs)


def _reference(
    run: Callable[[Sequence[Any]], Any],
    specs: Mapping[str, Any],
    outputs: Sequence[str],
    function: Any,
    changed: Callable[[], bool] | None,
) -> Reference:
    variables = [] if changed else [(v, np.asarray(v.read_value())) for v in function.graph.variables]

    def call(inputs: Mapping[str, Array]) -> dict[str, Array]:
        result = run([tf.convert_to_tensor(inputs[name], spec.dtype) for name, spec in specs.items()])
        arrays = [np.asarray(tf.convert_to_tensor(tensor)) for _, tensor in _named_outputs(result)]
        return dict(zip(outputs, arrays, strict=True))

    def compare() -> bool:
        return not all(_same(array, np.asarray(v.read_value())) for v, array in variables)

    return Reference(call, changed or compare)


def _same(first: Array, second: Array) -> bool:
    return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")


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
        return _DEFAULT_SIGNATURE if _DEFAULT_SIGNATURE in signatures or len(signatures) > 1 else next(iter(signatures))
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
    for i, arg in enumerate(args):
        name = parameters[i + offset] if i + offset < len(parameters) else f"args_{i}"
        yield from _spec_leaves((name,), arg)
    for name in sorted(keywords):
        yield from _spec_leaves((name,), keywords[name])


def _spec_leaves(path: tuple[str, ...], node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, tf.TypeSpec):
        own = getattr(node, "name", None)
        automatic = re.sub(r"[^A-Za-z0-9_.]", "_", "_".join(path))
        yield ("/".join(path) if own in (None, automatic) else own), node
        return
    for key, child in _children(node):
        yield from _spec_leaves((*path, key), child)


def _named_outputs(result: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and tensor: keys of a dict, else positions as SavedModel has them; None is no output."""
    if isinstance(result, Mapping):
        for key in sorted(result):
            yield from _output_leaves(str(key), result[key])
    elif isinstance(result, (list, tuple)):
        for i, item in enumerate(result):
            yield from _output_leaves(f"output_{i}", item)
    else:
        yield from _output_leaves("output_0", result)


def _output_leaves(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    if node is None:
        return
    if isinstance(node, (Mapping, list, tuple)):
        for key, child in _children(node):
            yield from _output_leaves(f"{name}/{key}", child)
    else:
        yield name, node


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        yield from ((str(key), node[key]) for key in sorted(node))
    elif isinstance(node, tuple) and hasattr(node, "_fields"):
        yield from zip(node._fields, node, strict=True)
    elif isinstance(node, (list, tuple)):
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


# ---------------------------------------------------------------------- tensors


def _check_tensors(description: str, rows: Sequence[tuple[str, Any]]) -> None:
    if not rows:
        raise UnsupportedModelError(f"{description} returns no tensors; expected at least one.", stage="trace")
    for name, tensor in rows:
        if isinstance(tensor, (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices)):
            raise UnsupportedModelError(
                f"{description} returns a {type(tensor).__name__} as '{name}'; expected dense tensors. Convert it "
                "inside the function, with to_tensor() or tf.sparse.to_dense().",
                stage="trace",
            )
        _check_dtype(description, f"Output '{name}'", tf.convert_to_tensor(tensor).dtype)


def _check_dtype(description: str, what: str, dtype: Any) -> None:
    if dtype != tf.string and stored_dtype(np.dtype(dtype.as_numpy_dtype)) is None:
        raise UnsupportedModelError(
            f"{what} of {description} has dtype {dtype.name}; TensorFlow.js has float32, int32, bool, complex64 and "
            "string. Cast it inside the function.",
            stage="trace",
        )


def _shape(spec: Any) -> tuple[int | None, ...] | None:
    return None if spec.shape.rank is None else tuple(spec.shape.as_list())


def _info(name: str, tensor: Any) -> TensorInfo:
    dtype = "string" if tensor.dtype == tf.string else stored_dtype(np.dtype(tensor.dtype.as_numpy_dtype))
    return TensorInfo(name, dtype or tensor.dtype.name, _shape(tensor))


def _op_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("_.") or "input"
