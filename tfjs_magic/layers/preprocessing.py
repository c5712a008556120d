"""Preprocessing: numbers and images. What augments images does nothing at inference."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfjs_magic.artifacts import Array
from tfjs_magic.layers.mapping import FIX_SIZE, CallShapes, LayerMapping, LayerView, either_format
from tfjs_magic.layers.spatial import along_axes, cropped, resize_matrix
from tfjs_magic.layers.tfjs_layer import UNCHANGED, TfjsLayers, chain, rescaled, tfjs

#: Do nothing but in training.
_AUGMENTING = (
    *("AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness"),
    *("RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert"),
    *("RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"),
    *("RandomShear", "RandomTranslation", "RandomZoom", "Solarization"),
)


def augmenting(view: LayerView) -> TfjsLayers:
    """Map a layer that changes images in training only."""
    view.ignore(*view.layer.get_config())
    view.argument("training")  # Keras sets it; predict() overrules it
    view.note(f"TF.js has no {type(view.layer).__name__}, so training there would go without it")
    return UNCHANGED


@either_format
def resizing(view: LayerView) -> TfjsLayers:
    """Map Resizing to one matrix per axis: tfjs's own fails, and knows no half-pixel centres."""
    view.argument("training")
    interpolation, antialias = view.value("interpolation"), view.value("antialias")
    crop, pad = view.value("crop_to_aspect_ratio"), view.value("pad_to_aspect_ratio")
    if pad and view.value("fill_value"):
        view.refuse(f"It has fill_value={view.value('fill_value')}, but TF.js can pad with zeros only.")
    view.ignore("height", "width", "data_format", "fill_mode", "fill_value")
    target = (view.layer.height, view.layer.width)
    return _resized(view, target, interpolation, antialias=antialias, crop=crop, pad=pad)


@either_format
def center_crop(view: LayerView) -> TfjsLayers:
    """Map CenterCrop; an image that is too small is cut to the target's proportions and resized."""
    view.argument("training")
    view.ignore("height", "width", "data_format")
    *sizes, _ = view.sample()
    target = (view.layer.height, view.layer.width)
    if None in sizes:
        return view.refuse("It resizes images of unknown size.", FIX_SIZE)
    surplus = [(size or 0) - wanted for size, wanted in zip(sizes, target, strict=True)]
    if min(surplus) < 0:
        return _resized(view, target, "bilinear", antialias=False, crop=True, pad=False)
    return cropped(view, view.sample(), [(extra // 2, extra - extra // 2) for extra in surplus])


def _resized(
    view: LayerView, target: tuple[int, int], interpolation: str, *, antialias: bool, crop: bool, pad: bool
) -> TfjsLayers:
    height, width, _ = view.sample()
    if height is None or width is None:
        return view.refuse("It resizes images of unknown size.", FIX_SIZE)
    given = (height, width)
    used = list(given)
    if crop or pad:
        # What Keras's image.resize takes of the image, or makes of it, before it resizes.
        fit = [int(float(given[1 - axis] * target[axis]) / target[1 - axis]) for axis in (0, 1)]
        pairs = list(zip(fit, given, strict=True))
        # Keras pads both sides alike.
        used = [max(min(one, size), 1) if crop else size + max(one - size, 0) // 2 * 2 for one, size in pairs]
    matrices = {}
    for axis, (size, window, wanted) in enumerate(zip(given, used, target, strict=True), 1):
        matrix = resize_matrix(window, wanted, interpolation, antialias=antialias)
        if window < size:
            matrix = _rows_added(matrix, size, int(float(size - window) / 2))
        elif window > size:
            start = int(float(window - size) / 2)
            matrix = matrix[start : start + size]
        matrices[axis] = matrix
    return along_axes(3, matrices)


def _rows_added(matrix: Array, size: int, before: int) -> Array:
    """Let a matrix pass over values before and after those that it was made for."""
    return np.pad(matrix, [(before, size - before - len(matrix)), (0, 0)])


def category_encoding(view: LayerView) -> TfjsLayers:
    """Map CategoryEncoding to an Embedding whose rows are those of the identity matrix; tfjs's own fails.

    multi_hot is the maximum over the rows of a sample, count their sum.
    """
    view.takes_integers()
    view.off("sparse", why="TF.js has no sparse tensors")
    count, mode, shape = view.value("num_tokens"), view.value("output_mode"), view.sample()
    config = {"input_dim": count, "output_dim": count, "mask_zero": False, "trainable": False}
    rows = tfjs("Embedding", config, {"embeddings": np.eye(count, dtype=np.float32)})
    if mode == "one_hot":
        return chain(rows, view.reshaped(*view.made()))
    if len(shape) != 1 or shape[0] is None:
        return view.refuse("It counts over samples of another rank than 1, or of unknown length.")
    if mode == "multi_hot":
        return chain(rows, tfjs("GlobalMaxPooling1D"))
    return chain(rows, tfjs("GlobalAveragePooling1D"), rescaled(float(shape[0])))


def pipeline(view: LayerView) -> TfjsLayers:
    """Map Pipeline: its layers, one after the other."""
    view.ignore("layers")
    view.argument("training")
    parts: list[TfjsLayers] = []
    calls = [CallShapes(call.inputs, call.inputs, call.input_dtypes) for call in view.calls]
    for layer in view.layer.layers:
        calls = [
            CallShapes(call.outputs, (tuple(layer.compute_output_shape(call.outputs[0])),), ("float32",))
            for call in calls
        ]
        parts.append(view.wrapped(layer, calls))
    return chain(*parts)


LAYERS: Mapping[str, LayerMapping] = {
    **dict.fromkeys(_AUGMENTING, augmenting),
    "CategoryEncoding": category_encoding,
    "CenterCrop": center_crop,
    "Pipeline": pipeline,
    "Resizing": resizing,
}
