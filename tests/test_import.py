"""What the package shows, and how little it loads to show it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tfjs_magic
from tfjs_magic import errors

HEAVY = ("tensorflow", "keras", "numpy", "anywidget", "ipywidgets", "pandas")
#: The budget of %load_ext is 100 ms; a shared machine under load gets room.
LOAD_SECONDS = 0.5


def test_every_exported_name_exists() -> None:
    assert [name for name in tfjs_magic.__all__ if getattr(tfjs_magic, name, None) is None] == []
    assert sorted(tfjs_magic.__all__) == dir(tfjs_magic)


def test_every_error_is_exported() -> None:
    tree = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert tree <= set(tfjs_magic.__all__)


def test_public_functions_stay_functions_after_their_modules_are_imported() -> None:
    """A module named like a public function would hide it at the second access."""
    for name in ("convert", "load", "benchmark"):
        assert callable(getattr(tfjs_magic, name))
        assert callable(getattr(tfjs_magic, name))


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(tfjs_magic, "conver")


def test_load_ext_is_light_and_fast() -> None:
    code = f"""
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
start = time.perf_counter()
shell.extension_manager.load_extension("tfjs_magic")
seconds = time.perf_counter() - start
assert shell.find_cell_magic("tfjs_convert") is not None
print([name for name in {HEAVY!r} if name in set(sys.modules) - before], seconds)
"""
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    loaded, _, seconds = done.stdout.strip().splitlines()[-1].rpartition(" ")
    assert loaded == "[]"
    assert float(seconds) < LOAD_SECONDS
