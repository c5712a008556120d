"""Load a TF.js web-format model from disk: ours, the official converter's, or TF.js's own.

Source: tfjs-core ``src/io/types.ts`` (``ModelJSON``) and ``src/io/io_utils.ts``, 4.22. Nothing in the files is trusted.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

from tfjs_magic.artifacts import (
    Artifacts,
    ConversionReport,
    ManifestGroup,
    ModelFormat,
    Quantization,
    TensorInfo,
    WeightSpec,
)
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.graph.dtypes import dtype_name, result_dtype
from tfjs_magic.graph.refs import Ref, node_of
from tfjs_magic.options import DEFAULT_SHARD_SIZE_BYTES

#: What reading hostile files may provoke.
DAMAGES = (
    *(ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError),
    struct.error,
)
_ITEM_BYTES = {"float32": 4, "int32": 4, "bool": 1, "complex64": 8, "uint8": 1, "uint16": 2, "float16": 2}


def read_tfjs(path: str | Path) -> Artifacts:
    """Read a TF.js model into memory; it has no reference, since the files do not say what they were converted from.

    Args:
        path: A ``model.json``, or the directory that holds one.

    Raises:
        UnsupportedModelError: It is missing, damaged, or points outside its directory.
    """
    given = place_of(path)
    file = given / "model.json" if given.is_dir() else given
    if not file.is_file():
        raise UnsupportedModelError(f"'{file}' does not exist; expected a model.json, or a directory with one.")
    try:
        document = json.loads(file.read_bytes())
        model_format = _format(document)
        groups = tuple(_group(file.parent, row, i) for i, row in enumerate(document["weightsManifest"], start=1))
        read = _graph_signature if model_format == "graph-model" else _layers_signature
        inputs, outputs = read(document)
    except UnsupportedModelError:
        raise
    except DAMAGES as error:
        reason = f"{type(error).__name__}: {error}"
        raise UnsupportedModelError(f"'{file}' is damaged or no TF.js model: {reason}.") from error
    return Artifacts(
        format=model_format,
        inputs=inputs,
        outputs=outputs,
        topology=document["modelTopology"],
        header={key: value for key, value in document.items() if key not in _OWN_KEYS},
        groups=groups,
        report=ConversionReport(
            source=f"TF.js model '{given.name}'",
            reasons=(f"{file.name} says so.",),
            trainable=model_format == "layers-model",
            notes=(_OPTIMIZER_NOTE,) if _has_optimizer(document) else (),
        ),
    )


#: What :class:`Artifacts` writes itself: saved again, the files get our names and sizes.
_OWN_KEYS = frozenset({"format", "modelTopology", "weightsManifest"})
_OPTIMIZER_NOTE = "The state of the optimizer, saved with the model by TF.js, is left out."


def _has_optimizer(document: Mapping[str, Any]) -> bool:
    return any(weight.get("group") == "optimizer" for row in document["weightsManifest"] for weight in row["weights"])


def _format(document: Mapping[str, Any]) -> ModelFormat:
    topology = document["modelTopology"]
    declared = document.get("format") or ("graph-model" if "node" in topology else "layers-model")
    if declared not in {"graph-model", "layers-model"}:
        raise UnsupportedModelError(f"model.json has format '{declared}'; expected 'graph-model' or 'layers-model'.")
    return cast("ModelFormat", declared)


# ---------------------------------------------------------------------- weights


def _group(directory: Path, row: Mapping[str, Any], index: int) -> ManifestGroup:
    paths = [_inside(directory, name) for name in row["paths"]]
    data = memoryview(b"".join(path.read_bytes() for path in paths))
    specs, parts, offset = [], [], 0
    for weight in row["weights"]:
        spec = _spec(weight)
        length = _byte_length(spec, data[offset:])
        kept = weight.get("group") != "optimizer"
        if offset + length > data.nbytes:
            raise UnsupportedModelError(
                f"Weight '{spec.name}' ends at byte {offset + length}, but the files {row['paths']} hold {data.nbytes}."
            )
        if kept:
            specs.append(spec)
            parts.append(data[offset : offset + length])
        offset += length
    if offset != data.nbytes:
        raise UnsupportedModelError(
            f"The files {row['paths']} hold {data.nbytes} bytes; the manifest describes {offset}."
        )
    size = paths[0].stat().st_size if paths else DEFAULT_SHARD_SIZE_BYTES
    return ManifestGroup(tuple(specs), tuple(parts), max(size, 1), index)


def _inside(directory: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    target = (directory / name).resolve()
    if ".." in parts or PurePosixPath(name).is_absolute() or not target.is_relative_to(directory.resolve()):
        raise UnsupportedModelError(f"The manifest names '{name}', which is outside the model's directory.")
    if not target.is_file():
        raise UnsupportedModelError(f"The manifest names '{name}', which is not in '{directory}'.")
    return target


def _spec(row: Mapping[str, Any]) -> WeightSpec:
    shape = tuple(int(size) for size in row["shape"])
    if min(shape, default=0) < 0 or row["dtype"] not in {*_ITEM_BYTES, "string"}:
        raise UnsupportedModelError(f"Weight '{row['name']}' has shape {shape} and dtype '{row['dtype']}'.")
    quantization = row.get("quantization")
    if quantization is None:
        return WeightSpec(str(row["name"]), shape, row["dtype"])
    scale, low = quantization.get("scale"), quantization.get("min")
    stored = Quantization(
        quantization["dtype"], None if scale is None else float(scale), None if low is None else float(low)
    )
    return WeightSpec(str(row["name"]), shape, row["dtype"], stored)


def _byte_length(spec: WeightSpec, rest: memoryview) -> int:
    count = math.prod(spec.shape)
    if spec.dtype != "string":
        return count * _ITEM_BYTES[spec.quantization.dtype if spec.quantization else spec.dtype]
    offset = 0
    for _ in range(count):
        offset += 4 + int(struct.unpack_from("<I", rest, offset)[0])
    return offset


# ---------------------------------------------------------------------- inputs and outputs


def graph_signature(topology: Mapping[str, Any], header: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows of the inputs and the outputs by name, as TF.js finds them.

    Without a signature every placeholder is an input, and every result that no node uses an output.
    """
    signature = (header.get("userDefinedMetadata") or {}).get("signature") or header.get("signature") or {}
    nodes = topology["node"]
    by_name = {node["name"]: node for node in nodes}
    inputs = {name: row for name, row in (signature.get("inputs") or {}).items() if "resourceId" not in row}
    if not inputs:
        inputs = {node["name"]: _placeholder(node) for node in nodes if node["op"] == "Placeholder"}
    outputs = {
        name: {"dtype": _result_dtype(by_name.get(node_of(row.get("name", name)), {})), **row}
        for name, row in (signature.get("outputs") or {}).items()
    }
    if not outputs:
        used = {node_of(Ref(ref.removeprefix("^"))) for node in nodes for ref in node.get("input") or ()}
        ends = [node for node in nodes if node["name"] not in used and node["op"] not in _NO_RESULTS]
        outputs = {node["name"]: {"name": node["name"], "dtype": _result_dtype(node)} for node in ends}
    return inputs, outputs


_NO_RESULTS = frozenset({"Const", "Placeholder", "NoOp", "Assert"})
_PREDICATES = frozenset(
    {
        *("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "LogicalNot"),
        *("LogicalXor", "All", "Any", "IsNan", "IsInf", "IsFinite"),
    }
)


def _placeholder(node: Mapping[str, Any]) -> dict[str, Any]:
    attrs = node["attr"]
    shape = attrs.get("shape", {}).get("shape", {"unknownRank": True})
    return {"name": node["name"], "dtype": attrs["dtype"]["type"], "tensorShape": shape}


def _result_dtype(node: Mapping[str, Any]) -> Any:
    if node.get("op") in _PREDICATES:
        return "DT_BOOL"
    return (
        result_dtype({key: row["type"] for key, row in (node.get("attr") or {}).items() if "type" in row}) or "DT_FLOAT"
    )


def _graph_signature(document: Mapping[str, Any]) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    inputs, outputs = graph_signature(document["modelTopology"], document)
    return tuple(map(_info, inputs, inputs.values())), tuple(map(_info, outputs, outputs.values()))


def _info(name: str, row: Mapping[str, Any]) -> TensorInfo:
    shape = row.get("tensorShape", {"unknownRank": True})  # the converter 1.x wrote names only
    dims = tuple(int(d.get("size", 0)) for d in shape.get("dim") or ())
    known = None if shape.get("unknownRank") else tuple(None if size < 0 else size for size in dims)
    dtype = dtype_name(row.get("dtype", 0))
    if dtype in {"bool", "string"}:
        return TensorInfo(name, str(dtype), known)
    kinds = {"float": "float32", "bfloat": "float32", "complex": "complex64"}
    return TensorInfo(name, kinds.get(dtype.rstrip("0123456789"), "int32"), known)


def _layers_signature(document: Mapping[str, Any]) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    topology = document["modelTopology"]
    model = topology.get("model_config", topology)
    config = model["config"]
    if isinstance(config, list) or "input_layers" not in config:  # Sequential
        layers = config if isinstance(config, list) else config["layers"]
        return (_input(layers[0]),), (TensorInfo(layers[-1]["config"]["name"], "float32", None),)
    layers = {layer.get("name", layer["config"]["name"]): layer for layer in config["layers"]}
    inputs = tuple(_input(layers[name]) for name in _names(config["input_layers"]))
    return inputs, tuple(TensorInfo(name, "float32", None) for name in _names(config["output_layers"]))


def _names(refs: Sequence[Any]) -> list[str]:
    return [refs[0]] if refs and isinstance(refs[0], str) else [ref[0] for ref in refs]


def _input(layer: Mapping[str, Any]) -> TensorInfo:
    config = layer["config"]
    if "layers" in config:  # a nested model takes its own first layer's input
        return _input(config["layers"][0])
    shape = config.get("batch_input_shape") or config.get("batch_shape")
    dims = None if shape is None else tuple(None if size is None else int(size) for size in shape)
    dtype = config.get("dtype")
    return TensorInfo(config["name"], dtype if dtype in {"int32", "bool", "string"} else "float32", dims)
