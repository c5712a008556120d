"""How a name is made that nothing has yet."""

from __future__ import annotations

from collections.abc import Container


def first_free(base: str, taken: Container[str]) -> str:
    """Return ``base``, or a ``base_1``, ``base_2`` … that is not taken while the one before it is.

    The number of looks grows with the logarithm of how many are taken.
    """
    if base not in taken:
        return base
    low, high = 0, 1  # one that is taken, and one that may be free
    while f"{base}_{high}" in taken:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if f"{base}_{middle}" in taken:
            low = middle
        else:
            high = middle
    return f"{base}_{high}"
