"""Which rows a sweep has: every source with every set of options."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tfjs_magic.errors import OptionError, quoted_list
from tfjs_magic.options import ConvertOptions

#: Set by the sweep itself.
_OWN = {"progress"}
KNOWN = tuple(field.name for field in dataclasses.fields(ConvertOptions) if field.name not in _OWN)


def option_sets(options: object) -> list[dict[str, Any]]:
    """Return the sets of options of ``convert``, checked.

    Args:
        options: Option → list of values, of which every combination is a set; or a list of sets, as they are; None for
            one set without any.

    Raises:
        OptionError: An option or a value does not exist.
    """
    if options is None:
        sets: list[Mapping[str, Any]] = [{}]
    elif isinstance(options, Mapping):
        columns = [value if isinstance(value, (list, tuple)) else [value] for value in options.values()]
        sets = [dict(zip(options, values, strict=True)) for values in itertools.product(*columns)]
    elif isinstance(options, Sequence) and all(isinstance(one, Mapping) for one in options):
        sets = list(options)
    else:
        raise OptionError(
            f"options is {options!r}; expected option → list of values, such as {{'quantize': [None, 'uint8']}}, or a "
            "list of such sets with one value each."
        )
    if not sets:
        raise OptionError("options has no set of options; expected at least one value for each.")
    for one in sets:
        for name in one:
            if name not in KNOWN:
                raise OptionError(f"options names '{name}', which convert does not have{nearest(name, KNOWN)}")
        ConvertOptions(**one)
    return [dict(one) for one in sets]


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the end of a sentence on a name: what was meant, or what there is."""
    found = difflib.get_close_matches(str(name), known, 1)
    return f"; did you mean '{found[0]}'?" if found else f"; expected one of {quoted_list(known, limit=len(known))}."
