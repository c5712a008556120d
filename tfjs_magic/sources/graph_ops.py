"""Which ops of TensorFlow touch the machine, and which may run while a SavedModel is loaded. Imports nothing.

Source: the op definitions of TensorFlow 2.21; a test goes through all that take a file, an address or a path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: Ops that read or write files, call Python, load code, wait for the network, or end the process.
_TOUCHES = re.compile(
    r"ReadFile|WriteFile|MatchingFiles|RecordInput|Skipgram|GenerateVocabRemapping|LoadAndRemapMatrix|DumpTensor"
    r"|InitializeTableFromTextFile(V2)?|FileSystemSetConfiguration|CalibrationStatisticsSaver"
    r"|(Whole|Text|TFRecord|Fixed|Identity|LMDB|BigQuery)\w*Reader\w*|Reader[A-Z]\w*|GenerateBigQueryReaderPartitions"
    r"|Save(V2|Slices)?|(DTensor)?Restore(V2|Slice)?|MergeV2Checkpoints|DistributedSave"
    r"|\w*(Dataset|Iterator|DataService|MemoryCache)\w*"
    r"|(Create|Write|Flush|Close)\w*Summary\w*|SummaryWriter|ImportEvent"
    r"|PyFunc(Stateless)?|EagerPyFunc|Debug\w+|_?Abort|MlirPassthroughOp|Remote\w+"
    r"|XlaCallModule|_?Xla\w*(CustomCall|HostCompute|Send|Recv)\w*|_?(Host)?(Send|Recv)|Rpc\w*|\w*Distributed\w*"
    r"|(In|Out)feed\w*|Collective\w*"
)
#: Op → the attribute that may name a file or an address, and whether a value of it does.
_BY_ATTRIBUTE: Mapping[str, tuple[str, Callable[[str], bool]]] = {
    "PrintV2": ("output_stream", lambda value: value.startswith("file:")),
    "DecodeProtoV2": ("descriptor_source", lambda value: value not in {"", "local://"}),
    "EncodeProto": ("descriptor_source", lambda value: value not in {"", "local://"}),
    "FixedUnigramCandidateSampler": ("vocab_file", bool),
}
#: What fills lookup tables and variables: all that may run while a SavedModel is loaded.
AT_LOAD = frozenset(
    """
    Const Identity IdentityN NoOp Placeholder PartitionedCall StatefulPartitionedCall Assert
    HashTableV2 MutableHashTableV2 MutableHashTableOfTensorsV2 MutableDenseHashTableV2 AnonymousHashTable
    AnonymousMutableHashTable AnonymousMutableHashTableOfTensors AnonymousMutableDenseHashTable
    InitializeTableV2 LookupTableImportV2 LookupTableExportV2 LookupTableInsertV2 LookupTableRemoveV2 LookupTableSizeV2
    VarHandleOp AssignVariableOp ReadVariableOp VarIsInitializedOp DestroyResourceOp
    Cast Reshape Shape Size Rank Pack Unpack ExpandDims Squeeze ConcatV2 Slice StridedSlice Split SplitV Range
    AddV2 Add Sub Mul Equal NotEqual Less LessEqual Greater GreaterEqual LogicalAnd LogicalOr LogicalNot All Any
    """.split()
)
#: Those that TensorFlow may evaluate while it only imports a graph, to know a shape: it takes them for stateless.
AT_IMPORT = frozenset(
    """
    ReadFile MatchingFiles PyFuncStateless Abort GenerateVocabRemapping InitializeTableFromTextFile MlirPassthroughOp
    EncodeProto DecodeProtoV2 XlaCustomCall XlaCustomCallV2 DebugIdentity DebugNanCount DebugNumericSummary
    DebugNumericSummaryV2 DebugGradientIdentity DebugGradientRefIdentity
    """.split()
)
#: Fills a table from a file, which has to be one of the SavedModel's own assets.
FROM_FILE = frozenset({"InitializeTableFromTextFileV2"})


def touches(op: str, attributes: Mapping[str, Any] | None = None) -> bool:
    """Whether a node touches the machine.

    Args:
        op: Its type.
        attributes: Name → ``AttrValue``; without them, whether it could.
    """
    name, names_a_file = _BY_ATTRIBUTE.get(op, (None, bool))
    if name is None:
        return _TOUCHES.fullmatch(op) is not None
    if attributes is None or name not in attributes:
        return attributes is None
    # A function may leave the value to its caller.
    return attributes[name].WhichOneof("value") != "s" or names_a_file(_text(attributes[name].s))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
