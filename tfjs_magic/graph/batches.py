"""What TF.js makes of the batches of a product of matrices: it takes the matrix ``i mod size`` for the i-th product.

That is right where an operand's batch axes are the end of the product's: as all of them, as none, and as what follows
axes of size 1.
"""

from __future__ import annotations

from tfjs_magic.artifacts import Dims


def batch_axes(own: Dims, other: Dims) -> list[tuple[int | None, int | None]]:
    """Return the sizes of each batch axis in an operand and in the other one, 1 where one lacks the axis."""
    count = max(len(own), len(other)) - 2
    sides = ((1,) * (count + 2 - len(shape)) + shape[:-2] for shape in (own, other))
    return list(zip(*sides, strict=True))


def is_end_of_product(own: Dims, other: Dims) -> bool:
    """Whether an operand's batch is the end of the product's, whatever its unknown sizes are."""
    axes = batch_axes(own, other)
    for place in reversed(range(len(axes))):
        size, others = axes[place]
        if size in {1, None} and others != 1:  # the product may be longer here
            return all(before == 1 for before, _ in axes[:place])
    return True
