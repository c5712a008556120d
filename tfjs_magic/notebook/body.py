"""Runs the body of a cell magic as an ordinary cell, and finds the model that it made.

IPython's own ``run_cell`` would show an error itself and then let the magic go on, so the body is compiled and run
here the way ``%%time`` does it. A body with top-level ``await`` needs the cell itself to be asynchronous, which
IPython and ipykernel decide by the text of the transformed cell: :class:`AwaitTransform` puts an ``await`` there.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from IPython.core.error import UsageError

from tfjs_magic.errors import quoted_list
from tfjs_magic.notebook.names import models_in

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Where the last expression's value is kept for a moment.
_VALUE = "_tfjs_magic_value"
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.comprehension)


class Body:
    """The compiled body of a cell.

    Args:
        shell: Whose namespace, input transformations and compiler flags apply.
        text: What stands below the magic's line.
        number: The cell's number in tracebacks.

    Raises:
        SyntaxError: The user's own.
    """

    def __init__(self, shell: InteractiveShell, text: str, *, number: int) -> None:
        self._shell = shell
        # Empty lines stand for the magic's own line and for those that IPython drops, so that tracebacks count right.
        blank = len(text) - len(text.lstrip())
        source = "\n" * (1 + text.count("\n", 0, blank)) + shell.transform_cell(text)
        self._filename = shell.compile.cache(source, number, raw_code=f"\n{text}")
        tree = shell.transform_ast(shell.compile.ast_parse(source, filename=self._filename))
        self._has_value = bool(tree.body) and isinstance(tree.body[-1], ast.Expr)
        self._assigned = set(_assigned_names(tree))
        self._value_name = ""
        if self._has_value:
            self._value_name = _keep_value(tree)
        with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0):
            self._code = shell.compile(tree, self._filename, "exec")

    @property
    def is_async(self) -> bool:
        """Whether the body awaits at top level."""
        return bool(self._code.co_flags & inspect.CO_COROUTINE)

    def run(self) -> None:
        """Run a body that is not async; its errors are shown as the user's own."""
        try:
            exec(self._code, self._shell.user_global_ns, self._shell.user_ns)  # noqa: S102 - the user's own cell
        except Exception as error:
            self._show_from_body(error)
            raise

    async def run_async(self) -> None:
        """Run a body that awaits."""
        try:
            await eval(self._code, self._shell.user_global_ns, self._shell.user_ns)  # noqa: S307
        except Exception as error:
            self._show_from_body(error)
            raise

    def take_value(self) -> object:
        """Return the last expression's value once, None if there is none."""
        return self._shell.user_ns.pop(_VALUE, None)

    def model(self) -> tuple[object, str, str]:
        """Return what the body made, once it has run, and the name that it gave it, "" for none.

        The third is a sentence about where it was found, "" if that is obvious.

        Raises:
            UsageError: The last expression is None or missing, and not exactly one model was assigned.
        """
        namespace = self._shell.user_ns
        if self._has_value and (value := self.take_value()) is not None:  # print(…) and plt.show() end many cells
            return value, self._value_name, ""
        assigned = {name: namespace[name] for name in sorted(self._assigned) if name in namespace}
        models = models_in(assigned)
        if len({id(model) for model in models.values()}) != 1:
            found = f"assigns {len(models)} models ({quoted_list(models)})" if models else "assigns no model"
            ending = "the cell's last expression is None" if self._has_value else "the cell has no last expression"
            raise UsageError(
                f"{ending} and the cell {found}; expected one. "
                "End the cell with the model, or name it: %%tfjs_convert model"
            )
        name, model = next(iter(models.items()))
        return model, name, f"Converted '{name}', the only model that the cell assigns."

    def _show_from_body(self, error: Exception) -> None:
        """Let IPython show the traceback from the body's first frame on, without the magic's machinery above it.

        Source: ``InteractiveShell.showtraceback`` asks an exception for ``_render_traceback_`` (IPython 8 and 9).
        """
        shell, filename = self._shell, self._filename

        def render() -> list[str]:
            # Once: raised again from somewhere else, the exception shows that place.
            del error._render_traceback_  # type: ignore[attr-defined]
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename != filename:
                trace = trace.tb_next
            lines: list[str] = shell.InteractiveTB.structured_traceback(
                type(error), error, trace or error.__traceback__, tb_offset=0
            )
            return lines

        if not hasattr(error, "_render_traceback_"):
            error._render_traceback_ = render  # type: ignore[attr-defined]


class AwaitTransform:
    """An input transformation: cells of ``magic`` whose body awaits become an ``await`` of the magic.

    A body that is no Python is refused here, where IPython shows a SyntaxError without the magic's machinery.
    """

    def __init__(self, shell: InteractiveShell, magic: str) -> None:
        self._shell = shell
        self._magic = magic
        self._opening = re.compile(rf"%%{magic}(?=\s)([^\n]*)\n?")

    def __call__(self, lines: list[str]) -> list[str]:
        """Transform the lines of a cell."""
        opening = self._opening.match(lines[0]) if lines else None
        text = "".join(lines[1:])
        if opening is None or not text.strip():
            return lines
        if not Body(self._shell, text, number=self._shell.execution_count).is_async:
            return lines
        call = f"await get_ipython().run_cell_magic({self._magic!r}, {opening[1].strip()!r}, {text!r})\n"
        return [call]


def _keep_value(tree: ast.Module) -> str:
    """Turn the last expression into an assignment, so that it is not displayed and can be taken; return its name."""
    last = tree.body[-1]
    assert isinstance(last, ast.Expr)
    keep = ast.Assign([ast.Name(_VALUE, ast.Store())], last.value)
    tree.body[-1] = ast.copy_location(keep, last)
    ast.fix_missing_locations(tree)
    return last.value.id if isinstance(last.value, ast.Name) else ""


def _assigned_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that the code binds in its own scope."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, _SCOPES):
            yield from _assigned_names(node)
