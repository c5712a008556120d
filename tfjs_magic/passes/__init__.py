"""The graph passes, in the order in which they run; see CONTRIBUTING.md on how to add one."""

from __future__ import annotations

from tfjs_magic.passes.count_axis_from_front import COUNT_AXIS_FROM_FRONT
from tfjs_magic.passes.fold_constants import FOLD_CONSTANTS
from tfjs_magic.passes.fold_scale import FOLD_SCALE
from tfjs_magic.passes.fold_sizes import FOLD_SIZES
from tfjs_magic.passes.fuse_bias_activation import FUSE_BIAS_ACTIVATION
from tfjs_magic.passes.lower_arithmetic import LOWER_ARITHMETIC
from tfjs_magic.passes.lower_bool_reverse import LOWER_BOOL_REVERSE
from tfjs_magic.passes.lower_booleans import LOWER_BOOLEANS
from tfjs_magic.passes.lower_bucketize import LOWER_BUCKETIZE
from tfjs_magic.passes.lower_conv3d_transpose import LOWER_CONV3D_TRANSPOSE
from tfjs_magic.passes.lower_dilated_conv_transpose import LOWER_DILATED_CONV_TRANSPOSE
from tfjs_magic.passes.lower_einsum import LOWER_EINSUM
from tfjs_magic.passes.lower_erfc import LOWER_ERFC
from tfjs_magic.passes.lower_explicit_pool import LOWER_EXPLICIT_POOL
from tfjs_magic.passes.lower_extract_patches import LOWER_EXTRACT_PATCHES
from tfjs_magic.passes.lower_grouped_conv import LOWER_GROUPED_CONV
from tfjs_magic.passes.lower_invert_permutation import LOWER_INVERT_PERMUTATION
from tfjs_magic.passes.lower_matrix_band_part import LOWER_MATRIX_BAND_PART
from tfjs_magic.passes.lower_matrix_diagonal import LOWER_MATRIX_DIAGONAL
from tfjs_magic.passes.lower_narrow_cast import LOWER_NARROW_CAST
from tfjs_magic.passes.lower_one_hot import LOWER_ONE_HOT
from tfjs_magic.passes.lower_pool3d import LOWER_POOL3D
from tfjs_magic.passes.lower_resize import LOWER_RESIZE
from tfjs_magic.passes.lower_reverse_sequence import LOWER_REVERSE_SEQUENCE
from tfjs_magic.passes.lower_roll import LOWER_ROLL
from tfjs_magic.passes.lower_same_padding import LOWER_SAME_PADDING
from tfjs_magic.passes.lower_softsign import LOWER_SOFTSIGN
from tfjs_magic.passes.lower_space_to_depth import LOWER_SPACE_TO_DEPTH
from tfjs_magic.passes.lower_spectrum import LOWER_SPECTRUM
from tfjs_magic.passes.lower_strided_dilation import LOWER_STRIDED_DILATION
from tfjs_magic.passes.lower_switch_n import LOWER_SWITCH_N
from tfjs_magic.passes.lower_vector_select import LOWER_VECTOR_SELECT
from tfjs_magic.passes.merge_duplicates import MERGE_DUPLICATES
from tfjs_magic.passes.merge_offsets import MERGE_OFFSETS
from tfjs_magic.passes.merge_transposes import MERGE_TRANSPOSES
from tfjs_magic.passes.order_list_changes import ORDER_LIST_CHANGES
from tfjs_magic.passes.put_channels_last import PUT_CHANNELS_LAST
from tfjs_magic.passes.remove_identities import REMOVE_IDENTITIES
from tfjs_magic.passes.resolve_tensor_lists import RESOLVE_TENSOR_LISTS
from tfjs_magic.passes.rewrite import Pass, run_passes
from tfjs_magic.passes.separate_outputs import SEPARATE_OUTPUTS
from tfjs_magic.passes.shape_lookups import SHAPE_LOOKUPS
from tfjs_magic.passes.split_complex import SPLIT_COMPLEX
from tfjs_magic.passes.split_strided_slice import SPLIT_STRIDED_SLICE
from tfjs_magic.passes.strip_control_inputs import STRIP_CONTROL_INPUTS
from tfjs_magic.passes.swap_offset_and_scale import SWAP_OFFSET_AND_SCALE

#: First what TF.js cannot run at all, then what makes it fast. The runner repeats each tuple until nothing applies.
PIPELINE: tuple[tuple[Pass, ...], ...] = (
    # Control inputs first: they keep dead reads alive and count as consumers, which every match asks for. Before that
    # _SwitchN, since what a branch returns is held back by a Switch.
    (
        LOWER_SWITCH_N,
        STRIP_CONTROL_INPUTS,
        REMOVE_IDENTITIES,
        COUNT_AXIS_FROM_FRONT,
        RESOLVE_TENSOR_LISTS,
        LOWER_ARITHMETIC,
        LOWER_BOOL_REVERSE,
        LOWER_BOOLEANS,
        LOWER_BUCKETIZE,
        LOWER_EINSUM,
        LOWER_ERFC,
        LOWER_INVERT_PERMUTATION,
        LOWER_MATRIX_BAND_PART,
        LOWER_MATRIX_DIAGONAL,
        LOWER_NARROW_CAST,
        LOWER_ONE_HOT,
        LOWER_REVERSE_SEQUENCE,
        LOWER_ROLL,
        LOWER_SOFTSIGN,
        LOWER_VECTOR_SELECT,
        SHAPE_LOOKUPS,
        SPLIT_STRIDED_SLICE,
        PUT_CHANNELS_LAST,
        MERGE_TRANSPOSES,
        LOWER_EXPLICIT_POOL,
        LOWER_EXTRACT_PATCHES,
        LOWER_SPACE_TO_DEPTH,
        LOWER_SAME_PADDING,
    ),
    # Duplicates before constants, so that a slice of a weight that every round takes is folded once.
    # Constants before the lowerings and folds, which want their operands as arrays; scale before offset, since a scale
    # that is folded lets two offsets meet.
    (
        MERGE_DUPLICATES,
        FOLD_SIZES,
        FOLD_CONSTANTS,
        LOWER_DILATED_CONV_TRANSPOSE,
        LOWER_STRIDED_DILATION,
        LOWER_CONV3D_TRANSPOSE,
        LOWER_POOL3D,
        LOWER_RESIZE,
        SPLIT_COMPLEX,
        LOWER_SPECTRUM,
        SWAP_OFFSET_AND_SCALE,
        FOLD_SCALE,
        MERGE_OFFSETS,
    ),
    # After the folds, which see the weights of all groups at once.
    (LOWER_GROUPED_CONV,),
    # Fusion after every fold: nothing looks inside a fused op.
    (FUSE_BIAS_ACTIVATION, MERGE_DUPLICATES),
    # After the folds, which would take a product with zero away.
    (ORDER_LIST_CHANGES,),
    # Last, since the others would take the identities away again.
    (SEPARATE_OUTPUTS,),
)

__all__ = ["PIPELINE", "run_passes"]
