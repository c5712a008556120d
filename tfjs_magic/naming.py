"""How a name is made that nothing has yet."""

from __future__ import annotations

from collections.abc import Container


def first_free(base: str, taken: Container[str]) -> str:
    """Return ``base``, or ``base_1``, ``base_2`` …: the first that is not taken."""
    name, i = base, 0
    while name in taken:
        i += 1
        name = f"{base}_{i}"
    return name
