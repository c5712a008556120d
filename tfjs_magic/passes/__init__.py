"""The graph passes, in the order in which they run; see CONTRIBUTING.md on how to add one."""

from __future__ import annotations

from types import ModuleType

from tfjs_magic.passes import (
    copy_before_update,
    count_axis_from_front,
    fold_conditions,
    fold_constants,
    fold_scale,
    fold_sizes,
    fuse_bias_activation,
    lower_arithmetic,
    lower_audio,
    lower_batch_matmul,
    lower_bincount,
    lower_booleans,
    lower_bucketize,
    lower_colors,
    lower_conv3d_transpose,
    lower_cross_entropy,
    lower_diagonal_band,
    lower_dilation,
    lower_einsum,
    lower_explicit_pool,
    lower_extract_patches,
    lower_fake_quant,
    lower_grouped_conv,
    lower_in_top_k,
    lower_integer_kernels,
    lower_invert_permutation,
    lower_list_diff,
    lower_matrix_band_part,
    lower_matrix_diagonal,
    lower_narrow_cast,
    lower_nearest_resize,
    lower_one_hot,
    lower_padded_suppression,
    lower_partitions,
    lower_permuted_numbers,
    lower_pool3d,
    lower_pool_places,
    lower_random_integers,
    lower_resize,
    lower_reverse_cumulation,
    lower_reverse_sequence,
    lower_roll,
    lower_same_padding,
    lower_segments,
    lower_shape_n,
    lower_sign_bit,
    lower_slice_update,
    lower_space_and_depth,
    lower_spectrum,
    lower_switch_n,
    lower_text_moves,
    lower_vector_argmax,
    lower_vector_operand,
    lower_vector_select,
    merge_axes,
    merge_choice_axes,
    merge_duplicates,
    merge_offsets,
    merge_transposes,
    order_list_changes,
    pad_empty_reductions,
    put_channels_last,
    raise_masks,
    raise_overlap_threshold,
    remove_identities,
    rename_nodes,
    resolve_tensor_lists,
    separate_outputs,
    shape_lookups,
    split_complex,
    split_strided_slice,
    strip_control_inputs,
    swap_offset_and_scale,
)
from tfjs_magic.passes.rewrite import Pass, run_passes


def _passes(*modules: ModuleType) -> tuple[Pass, ...]:
    return tuple(module.PASS for module in modules)


#: Group → its passes. The runner repeats a group until nothing in it applies, then goes on to the next.
PIPELINE: dict[str, tuple[Pass, ...]] = {
    # What TF.js lacks or computes wrongly, where shapes and attributes are enough to mend it.
    # Control inputs first: they keep dead reads alive and count as consumers, which every match asks for. Before that
    # _SwitchN and conditions, since control inputs say what runs, and what a branch returns is held back by a Switch.
    "lower ops": _passes(
        lower_switch_n,
        fold_conditions,
        strip_control_inputs,
        remove_identities,
        count_axis_from_front,
        resolve_tensor_lists,
        lower_arithmetic,
        lower_audio,
        lower_booleans,
        lower_bucketize,
        lower_colors,
        lower_cross_entropy,
        lower_diagonal_band,
        lower_einsum,
        lower_fake_quant,
        lower_in_top_k,
        lower_integer_kernels,
        lower_batch_matmul,
        lower_invert_permutation,
        lower_list_diff,
        lower_matrix_band_part,
        lower_matrix_diagonal,
        lower_narrow_cast,
        lower_nearest_resize,
        lower_one_hot,
        lower_padded_suppression,
        lower_partitions,
        lower_pool_places,
        lower_random_integers,
        lower_reverse_sequence,
        lower_roll,
        lower_segments,
        lower_shape_n,
        lower_sign_bit,
        lower_slice_update,
        lower_text_moves,
        lower_vector_select,
        pad_empty_reductions,
        raise_overlap_threshold,
        split_strided_slice,
        put_channels_last,
        merge_transposes,
        lower_explicit_pool,
        lower_extract_patches,
        lower_space_and_depth,
        lower_same_padding,
    ),
    # What wants its operands as arrays: folds into weights, and lowerings that compute new weights.
    # Duplicates before constants, so that a slice of a weight that every round takes is folded once. Constants before
    # the lowerings and folds; scale before offset, since a scale that is folded lets two offsets meet. Look-ups get
    # their shapes once nothing moves them any more.
    "fold weights": _passes(
        shape_lookups,
        merge_duplicates,
        fold_sizes,
        fold_constants,
        lower_dilation,
        lower_conv3d_transpose,
        lower_pool3d,
        lower_resize,
        split_complex,
        lower_spectrum,
        swap_offset_and_scale,
        fold_scale,
        merge_offsets,
    ),
    # After the folds, which see the weights of all groups at once.
    "split groups": _passes(lower_grouped_conv),
    # What webgl and webgpu cannot do as it is. After the folds, which know a bias by its form.
    "lower for the GPU": _passes(
        raise_masks,
        lower_bincount,
        lower_permuted_numbers,
        merge_axes,
        merge_choice_axes,
        lower_reverse_cumulation,
        lower_vector_argmax,
        lower_vector_operand,
    ),
    # What TF.js has one kernel for. After every fold: nothing looks inside a fused op.
    "fuse": _passes(fuse_bias_activation, merge_duplicates),
    # After the folds, which would take a product with zero or one away.
    "order list changes": _passes(order_list_changes, copy_before_update),
    # Last, since the others would take the identities away again.
    "separate outputs": _passes(separate_outputs),
    # After whatever names nodes.
    "rename nodes": _passes(rename_nodes),
}

__all__ = ["PIPELINE", "run_passes"]
