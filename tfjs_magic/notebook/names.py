"""What a SOURCE on a magic's line stands for."""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from tfjs_magic.errors import quoted_list
from tfjs_magic.notebook.line import Expander, is_expression, unknown_name

_SUFFIXES = frozenset({".h5", ".hdf5", ".json", ".keras", ".pb"})
#: Nodes of a dotted or indexed expression: reading only, no calls.
_READING = (
    ast.Expression,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.Slice,
    ast.Tuple,
    ast.UnaryOp,
    ast.USub,
    ast.Load,
)


def find_source(word: str, namespace: Mapping[str, Any]) -> object:
    """Return the object, or the path, that a SOURCE names.

    First a name or a dotted / indexed expression of the namespace, ``{expr}`` always, else a path; ``./x`` is always
    a path, and what has a scheme (``https://…``) goes on as it is.

    Raises:
        UsageError: It is none of these.
    """
    if is_expression(word):
        return Expander(namespace).value(word)
    if word.startswith((".", "/", "~", "\\")):
        return _existing(word)
    if "://" in word:
        return word
    root = _root(word)
    if root is None or root not in namespace:
        if Path(word).expanduser().exists():
            return word
        raise UsageError(_nothing(word, root, namespace))
    try:
        return eval(word, dict(namespace))  # noqa: S307 - reads only, see _READING
    except Exception as error:
        if Path(word).exists():
            return word
        raise UsageError(f"'{word}' cannot be read: {type(error).__name__}: {error}") from error


def unknown_root(word: str, known: Callable[[str], bool]) -> str | None:
    """Return the name that a SOURCE begins with if nobody knows it and no file is called so."""
    if is_expression(word):
        return unknown_name(word, known)
    root = None if word.startswith((".", "/", "~", "\\")) or "://" in word else _root(word)
    return root if root is not None and not known(root) and not Path(word).expanduser().exists() else None


def label_of(word: str) -> str:
    """Return what plot and table call a SOURCE: the user's word, the last part of a path, an expression's inside."""
    if is_expression(word):
        return word[1:-1].strip()
    looks_like_path = word.startswith((".", "/", "~", "\\")) or _root(word) is None
    return Path(word).name or word if looks_like_path else word


def holds_model(path: Path) -> bool:
    """Whether a file or a directory looks like a model, by its name and those in it."""
    if path.is_dir():
        return any((path / name).exists() for name in ("saved_model.pb", "model.json"))
    return path.suffix in _SUFFIXES or path.name.endswith(".tar.gz")


def models_in(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the models of a namespace by name, Keras models alone where there are any; private names are left out."""
    public = {name: value for name, value in namespace.items() if not name.startswith("_")}
    keras = {name: value for name, value in public.items() if _is_instance(value, _KERAS)}
    return keras or {name: value for name, value in public.items() if _is_instance(value, _MODULES)}


def convertible_in(namespace: Mapping[str, Any]) -> list[str]:
    """Return the names of everything that can stand as SOURCE: models, and models that were converted."""
    converted = [name for name, value in namespace.items() if _is_instance(value, _CONVERTED) and name[0] != "_"]
    return sorted({*models_in(namespace), *converted})


# Module and class: looked up only where the module is loaded already, so that nothing heavy is imported.
_KERAS = (("keras", "Model"), ("tf_keras", "Model"))
_MODULES = (("tensorflow", "Module"),)
_CONVERTED = (("tfjs_magic.model", "TfjsModel"),)


def _is_instance(value: object, classes: tuple[tuple[str, str], ...]) -> bool:
    kinds = (getattr(sys.modules.get(module), name, None) for module, name in classes)
    return any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds)


def _root(word: str) -> str | None:
    """Return the name that a dotted or indexed expression begins with, None if the word is no such expression."""
    try:
        tree = ast.parse(word, mode="eval")
    except (SyntaxError, ValueError):
        return None
    if not all(isinstance(node, _READING) for node in ast.walk(tree)):
        return None
    node: ast.expr = tree.body
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _model_files() -> list[str]:
    try:
        return [path.name for path in Path().iterdir() if holds_model(path)]
    except OSError:
        return []


def _existing(word: str) -> str:
    if not Path(word).expanduser().exists():
        raise UsageError(f"the path '{word}' does not exist.")
    return str(Path(word).expanduser())


def _nothing(word: str, root: str | None, namespace: Mapping[str, Any]) -> str:
    if root is None:
        calls = " Put an expression in braces: {make_model()}." if "(" in word else ""
        return f"the path '{word}' does not exist.{calls}"
    known = convertible_in(namespace)
    close = difflib.get_close_matches(word, [*known, *_model_files()], n=1) or difflib.get_close_matches(
        root, known, n=1
    )
    hint = f" Did you mean '{close[0]}'?" if close else f" Models here: {quoted_list(known)}." if known else ""
    return f"there is no variable '{root}' and no file or directory '{word}'.{hint}"
