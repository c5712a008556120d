"""Names that nothing has yet are found in few looks: a file may have taken many of them."""

from __future__ import annotations

from collections.abc import Container

import pytest

from tfjs_magic.naming import first_free


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), "a"),
        (("a",), "a_1"),
        (("a", "a_1"), "a_2"),
        (("a", "a_1", "a_2", "a_3"), "a_4"),
        (("a", "a_1", "a_3"), "a_2"),
        (("a_1", "a_2"), "a"),
    ],
)
def test_a_name_that_is_free(taken: tuple[str, ...], name: str) -> None:
    assert first_free("a", taken) == name


def test_looks_grow_with_the_logarithm() -> None:
    class Counted(Container[str]):
        looks = 0

        def __contains__(self, name: object) -> bool:
            self.looks += 1
            return name == "a" or int(str(name)[2:]) <= 100_000

    taken = Counted()
    assert first_free("a", taken) == "a_100001"
    assert taken.looks < 50
