"""``tfjs-magic convert``: read, convert, verify, write."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.commands.official import KINDS, OF_SAVED_MODELS, PAIRS, SAVED_MODELS, TFJS_FORMATS
from tfjs_magic.commands.output import print_report, progress, report_of, say, write
from tfjs_magic.errors import OptionError, RunError, TfjsMagicError
from tfjs_magic.flags import BOUND, QUANTIZE, RESULT, SOURCE, merged, with_bound
from tfjs_magic.options import BOTH, FORMATS, QUANTIZATION_DTYPES
from tfjs_magic.sources.paths import holds_layers, kind_of

if TYPE_CHECKING:
    from tfjs_magic.model import TfjsModel

#: Arguments that the official converter does not have, and that mean nothing on the way back.
_OF_CONVERSIONS = ("verify", "browser", "backends", "tolerance", "samples", "target", "inference", "unroll")
#: What ``--output-format both`` writes.
_BOTH = ("layers", "graph")


def run_convert(arguments: argparse.Namespace) -> None:
    """Convert, verify where that is asked for, write, and print the report.

    Raises:
        OptionError: A flag means nothing for what is converted; nothing was read.
        TfjsMagicError: It cannot be converted, verified or written.
    """
    _check_flags(arguments)
    _check_input(arguments.input_path, arguments.input_format)
    wanted = _wanted_format(arguments)
    if wanted is None:
        _convert_back(arguments)
        return
    if (
        wanted in {"layers", BOTH}
        and kind_of(arguments.input_path) == "SavedModel"
        and not holds_layers(arguments.input_path)
    ):
        raise TfjsMagicError(
            f"The SavedModel '{arguments.input_path}' holds a graph, not Keras layers, so it cannot become a layers "
            "model. Add --output_format=tfjs_graph_model, or convert the .keras file that it was exported from."
        )
    for note in _without_effect(arguments):
        say(f"note: {note}")
    output = arguments.output_path
    wanted_at = {name: str(Path(output or "") / name) for name in _BOTH} if wanted == BOTH else {wanted: output}
    if not arguments.dry_run:
        from tfjs_magic.writers.directory import check_target  # noqa: PLC0415 - imports numpy

        for directory in wanted_at.values():
            check_target(directory, overwrite=arguments.overwrite)
    options = _options(arguments)
    from tfjs_magic.commands.verify import verify_options  # noqa: PLC0415 - imports numpy

    verification = verify_options(arguments)
    models = {name: _converted(arguments, name, options) for name in wanted_at}
    if verification is not None:
        _verify(models, verification)
    targets = {
        name: None if arguments.dry_run else model.save(wanted_at[name], overwrite=arguments.overwrite)
        for name, model in models.items()
    }
    if arguments.json and wanted == BOTH:
        write(json.dumps({name: report_of(one, targets[name]) for name, one in models.items()}, indent=2))
        return
    for name, model in models.items():
        print_report(model, targets[name], as_json=arguments.json)


def _converted(arguments: argparse.Namespace, wanted: Any, options: Mapping[str, Any]) -> TfjsModel:
    from tfjs_magic.pipeline import convert  # noqa: PLC0415 - imports numpy, and TensorFlow when it runs

    model = convert(arguments.input_path, format=wanted, progress=progress(), **options)
    if arguments.split_weights_by_layer and model.format == "layers-model":
        from tfjs_magic.weights.pack import split_by_layer  # noqa: PLC0415 - imports numpy

        model = dataclasses.replace(model, groups=split_by_layer(model.groups))
    return model


def _verify(models: Mapping[str, TfjsModel], options: Mapping[str, Any]) -> None:
    from tfjs_magic.commands.verify import verify  # noqa: PLC0415 - imports numpy

    for name, model in models.items():
        which = f"{name}: " if len(models) > 1 else ""
        try:
            notes = verify(model, options)
        except RunError as error:
            raise RunError(f"{which}{error}") from error
        for note in notes:
            say(f"note: {which}{note}")


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options that were given; the others have ``convert``'s own defaults."""
    values = {row.argument: getattr(arguments, row.argument) for row in (*SOURCE, QUANTIZE, *RESULT, *BOUND)}
    given = {name: merged(v) if isinstance(v, list) else v for name, v in values.items() if v is not None}
    if (official := _quantize(arguments)) is not None:
        if "quantize" in given:
            raise OptionError("--quantize and --quantize_… exclude each other; keep one kind.")
        given |= {"quantize": official, "official_codes": True}
    if arguments.samples is not None and arguments.verify is None and "auto" not in given.get("quantize", {}):
        raise OptionError("--samples belongs to --verify or --quantize auto, of which neither is given.")
    return with_bound(given, arguments.samples)


def _convert_back(arguments: argparse.Namespace) -> None:
    """Write a TF.js layers model as a Keras file, or as a SavedModel."""
    if (kind := kind_of(arguments.input_path)) not in {None, "TensorFlow.js model"}:
        raise OptionError(
            f"'{arguments.input_path}' is a {kind}; --output_format={arguments.output_format} takes a TensorFlow.js "
            "layers model back to Keras."
        )
    if _quantize(arguments) or arguments.quantize:
        raise OptionError("Keras files hold no quantized weights; leave the --quantize_… flags out.")
    for name in _OF_CONVERSIONS:
        if getattr(arguments, name) is not None:
            flag = "backend" if name == "backends" else name
            raise OptionError(f"--{flag} has no meaning for --output_format={arguments.output_format}; leave it out.")
    from tfjs_magic.model import load  # noqa: PLC0415 - imports numpy
    from tfjs_magic.writers.keras_files import check_keras_target, write_keras  # noqa: PLC0415

    if not arguments.dry_run:
        check_keras_target(arguments.output_path, arguments.output_format, overwrite=arguments.overwrite)
    model = load(arguments.input_path)
    keras_model, older, target = model.to_keras(), None, None
    if not arguments.dry_run:
        if arguments.output_format == "keras" and importlib.util.find_spec("tf_keras") is not None:
            from tfjs_magic.sources.tf_keras import keras_2_model  # noqa: PLC0415 - an extra

            older = keras_2_model(model.topology, keras_model)
        target = write_keras(
            keras_model, arguments.output_path, arguments.output_format, overwrite=arguments.overwrite, older=older
        )
    print_report(model, target, as_json=arguments.json)


def _check_input(path: str, input_format: str | None) -> None:
    """Refuse a path that is plainly not what ``--input_format`` says; what is not there is the conversion's to say."""
    kind = kind_of(path)
    if input_format in {"keras", "keras_keras"} and kind is not None and Path(path).is_dir():
        file = "an HDF5 file" if input_format == "keras" else "a .keras file"
        raise OptionError(
            f"Expected path to point to {file}, but it points to a directory: '{path}' is a {kind}; leave "
            f"--input_format={input_format} out."
        )
    if input_format is not None and kind is not None and input_format not in KINDS[kind]:
        raise OptionError(f"'{path}' is a {kind}; --input_format={input_format} reads another. Leave the flag out.")


def _check_flags(arguments: argparse.Namespace) -> None:
    """Refuse flags that mean nothing for what is converted."""
    kind = kind_of(arguments.input_path)
    given = arguments.input_format
    formats = (given,) if given else KINDS[kind] if kind else SAVED_MODELS
    for argument, flag in OF_SAVED_MODELS.items():
        if getattr(arguments, argument) is not None and not set(formats) & set(SAVED_MODELS):
            found = f"--input_format is {given}" if given else f"'{arguments.input_path}' is a {kind}"
            raise OptionError(f"The {flag} flag is applicable only to {', '.join(SAVED_MODELS)}, and {found}.")


def _wanted_format(arguments: argparse.Namespace) -> Any:
    """Return ``convert``'s format."""
    if arguments.output_format in {*FORMATS, BOTH}:
        return arguments.output_format
    if arguments.output_format is None:
        if arguments.input_format is None:
            return "auto"
        arguments.output_format = PAIRS[arguments.input_format][0]  # as the official converter has it
    if arguments.input_format is not None and arguments.output_format not in PAIRS[arguments.input_format]:
        expected = ", ".join(PAIRS[arguments.input_format])
        raise OptionError(
            f"{arguments.input_format} cannot become {arguments.output_format}; expected one of {expected}."
        )
    return TFJS_FORMATS.get(arguments.output_format)


def _without_effect(arguments: argparse.Namespace) -> Iterator[str]:
    if arguments.split_weights_by_layer and arguments.output_format in {"tfjs_graph_model", "graph"}:
        yield "--split_weights_by_layer has no effect: the weights of a graph are one group, cut by size."
    if arguments.control_flow_v2:
        yield "--control_flow_v2 has no effect: loops and conditions are always lowered, as TF.js runs them best."


def _quantize(arguments: argparse.Namespace) -> dict[Any, tuple[str, ...]] | None:
    asked = {dtype: getattr(arguments, f"quantize_{dtype}") for dtype in QUANTIZATION_DTYPES}
    wanted: dict[Any, tuple[str, ...]] = {dtype: patterns for dtype, patterns in asked.items() if patterns is not None}
    if empty := [dtype for dtype, patterns in wanted.items() if not patterns]:
        raise OptionError(f"--quantize_{empty[0]}= names no weights; without '=' it takes every kernel.")
    if arguments.quantization_bytes is not None:
        if wanted:
            raise OptionError("--quantization_bytes and --quantize_… exclude each other; keep the latter.")
        wanted = {"uint8" if arguments.quantization_bytes == 1 else "uint16": ("**",)}
    if sum(patterns in {("*",), ("**",)} for patterns in wanted.values()) > 1:
        raise OptionError("two --quantize_… flags without patterns take the same weights; keep one.")
    return wanted or None
