"""How many outputs an op has, so that a ref to one that does not exist is noticed.

Source: the op definitions of TensorFlow 2.21; a test holds this to them for every op that TF.js has.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Op type → its number of outputs, or the attribute that is or lists them. Every other op that TF.js has has one.
_NUMBER: Mapping[str, int | str] = {
    **dict.fromkeys("Assert InitializeTable InitializeTableV2 LookupTableImport LookupTableImportV2".split(), 0),
    **dict.fromkeys("NoOp TensorArrayCloseV3".split(), 0),
    **dict.fromkeys("ListDiff MaxPoolWithArgmax Merge NonMaxSuppressionV4 SparseReshape StringNGrams".split(), 2),
    **dict.fromkeys("Switch TensorArrayConcatV3 TensorArrayV3 TensorListConcat TensorListConcatV2".split(), 2),
    **dict.fromkeys("TensorListPopBack TopKV2 Unique UniqueV2".split(), 2),
    **dict.fromkeys("NonMaxSuppressionV5 StringSplit".split(), 3),
    "FusedBatchNorm": 5,
    "FusedBatchNormV2": 5,
    "FusedBatchNormV3": 6,
    "SparseFillEmptyRows": 4,
    "IdentityN": "T",
    "StatelessWhile": "T",
    "While": "T",
    "If": "Tout",
    "StatelessIf": "Tout",
    "ShapeN": "N",
    "Split": "num_split",
    "SplitV": "num_split",
    "Unpack": "num",
    "_SwitchN": "num_outs",
}

#: Op type → how many of its outputs TF.js makes, where these are fewer.
#: Source: tfjs-converter ``src/operations/executors``, 4.22.
MADE: Mapping[str, int] = {
    **dict.fromkeys("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Merge TensorArrayConcatV3".split(), 1),
    **dict.fromkeys("TensorListConcat TensorListConcatV2 TensorListPopBack".split(), 1),
    "NonMaxSuppressionV5": 2,
}


def number_of_outputs(op: str, attrs: Mapping[str, object]) -> int:
    """Return how many outputs a node has, of an op that TF.js has."""
    number = _NUMBER.get(op, 1)
    given = attrs[number] if isinstance(number, str) else number
    return len(given) if isinstance(given, tuple) else int(given)  # type: ignore[call-overload]  # an int
