"""The rules of who may import whom; CONTRIBUTING draws the picture."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfjs_magic"

#: What everything may import.
FOUNDATION = {"_version", "artifacts", "errors", "naming", "options", "tables"}
#: Part of the package → the parts that it may import besides FOUNDATION and itself. None: all of them.
MAY_IMPORT: Mapping[str, set[str] | None] = {
    "_version": set(),
    "errors": set(),
    "options": set(),
    "artifacts": set(),
    "collector": set(),
    "flags": set(),
    "naming": set(),
    "tables": set(),
    "graph": set(),
    "passes": {"graph"},
    "ops": {"graph"},
    "layers": set(),
    "weights": set(),
    "writers": set(),
    "sources": {"graph", "layers", "weights"},
    "bench": {"writers"},
    "model": {"bench", "graph", "layers", "ops", "sources", "weights", "writers"},
    "quantization": {"bench", "graph", "layers", "sources", "weights"},
    "pipeline": {"collector", "graph", "layers", "model", "ops", "passes", "quantization", "sources", "weights"},
    "headless": {"bench"},
    "benchmarking": {"bench", "headless", "model", "pipeline", "sources"},
    "quantizing": {"bench", "benchmarking", "headless", "model", "pipeline", "quantization", "writers"},
    "sweeping": {"bench", "benchmarking", "headless", "model", "pipeline", "writers"},
    "commands": {
        "bench",
        "benchmarking",
        "flags",
        "headless",
        "model",
        "pipeline",
        "sources",
        "sweeping",
        "weights",
        "writers",
    },
    "notebook": {"flags"},
    "magics": None,
    "cli": None,
    "__init__": None,
    "__main__": None,
}
#: The front doors: they import the entry points, lazily.
DOORS = {"__init__", "__main__"}
#: Nothing else imports these.
ENTRY_POINTS = {"magics", "cli"}
#: The module that may reach into TensorFlow's private parts.
PRIVATE_TENSORFLOW = {"graph.grappler"}
#: What is no pass in passes/.
NO_PASSES = {"passes.__init__", "passes.lowering", "passes.rewrite"}
HEAVY = ("tensorflow", "keras", "numpy", "anywidget", "ipywidgets", "pandas")

SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
#: Folder → its members, which never import each other: the passes, and the layer families, each with a table.
MEMBERS = {
    "passes": {module for module in SOURCES if module.startswith("passes.")} - NO_PASSES,
    "layers": {
        module
        for module, text in SOURCES.items()
        if module.startswith("layers.") and re.search(r"^(LAYERS|OPERATIONS)\b", text, re.MULTILINE)
    },
}


def _imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import statement, wherever it stands, with each absolute dotted name that it may load."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield statement, alias.name
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                yield statement, f"{statement.module}.{alias.name}"


def _own(name: str) -> list[str] | None:
    """Return the parts after ``tfjs_magic`` of one of our names, or None."""
    first, *rest = name.split(".")
    return rest if first == "tfjs_magic" else None


def _wrong_direction(module: str, source: str) -> list[str]:
    """List the imports of ``module`` that go against MAY_IMPORT."""
    part = module.split(".", maxsplit=1)[0]
    allowed = MAY_IMPORT.get(part, set())
    wrong = []
    for _, name in _imports(ast.parse(source)):
        target = _own(name)
        if target is None:
            continue
        room = target[0] if target else "the front door"
        entering = part not in DOORS and room in ENTRY_POINTS - {part}
        if entering or (allowed is not None and room not in allowed | FOUNDATION | {part}):
            wrong.append(name)
    return wrong


def _sideways(module: str, source: str) -> list[str]:
    """List the imports by which a member of a folder loads another one."""
    members = MEMBERS.get(module.split(".", maxsplit=1)[0], set())
    targets = [".".join(target[:2]) for _, name in _imports(ast.parse(source)) if (target := _own(name))]
    return [target for target in targets if target in members and target != module] if module in members else []


def _private_tensorflow(module: str, source: str) -> list[str]:
    """List private TensorFlow imports outside the modules for them, or without a comment that says why."""
    lines = source.splitlines()
    wrong = []
    for statement, name in _imports(ast.parse(source)):
        if re.match(r"tensorflow\.(python|core|compiler)\b", name):
            explained = any("#" in line for line in lines[max(statement.lineno - 2, 0) : statement.lineno])
            if module not in PRIVATE_TENSORFLOW or not explained:
                wrong.append(name)
    return wrong


def test_imports_go_downwards() -> None:
    assert {module: wrong for module, text in SOURCES.items() if (wrong := _wrong_direction(module, text))} == {}


def test_members_of_a_family_do_not_import_each_other() -> None:
    assert {module: wrong for module, text in SOURCES.items() if (wrong := _sideways(module, text))} == {}


def test_private_tensorflow_is_confined_and_explained() -> None:
    assert {module: wrong for module, text in SOURCES.items() if (wrong := _private_tensorflow(module, text))} == {}


def test_layers_know_no_tensorflow() -> None:
    """They must work on any Keras backend, and with the Keras that the model has; only the way back picks one."""
    for module, text in SOURCES.items():
        if module.startswith("layers."):
            forbidden = {"tensorflow"} if module == "layers.to_keras" else {"tensorflow", "keras"}
            assert not [name for _, name in _imports(ast.parse(text)) if name.split(".")[0] in forbidden]


def test_no_import_cycles() -> None:
    """Wherever an import stands, in a function or for types only: the plan has no circle. The front door is no room."""
    graph: dict[str, set[str]] = {}
    for module, text in SOURCES.items():
        targets = [target for _, name in _imports(ast.parse(text)) if (target := _own(name))]
        known = {".".join(target[:length]) for target in targets for length in range(1, len(target) + 1)}
        graph[module] = (known & SOURCES.keys()) - {module}
    del graph["__init__"]
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize(
    ("check", "module", "source"),
    [
        pytest.param(_wrong_direction, "graph.ir", "from tfjs_magic.passes import PIPELINE", id="upwards"),
        pytest.param(_wrong_direction, "layers.core", "from tfjs_magic import graph", id="to-another-branch"),
        pytest.param(_wrong_direction, "graph.ir", "import tfjs_magic", id="the-front-door"),
        pytest.param(_wrong_direction, "pipeline", "def f():\n from tfjs_magic.bench import x", id="in-a-function"),
        pytest.param(_wrong_direction, "cli", "from tfjs_magic.magics import x", id="an-entry-point"),
        pytest.param(_wrong_direction, "bench.widget", "from tfjs_magic import convert", id="a-public-function"),
        pytest.param(_wrong_direction, "artifacts", "from tfjs_magic.writers import page", id="data-to-verbs"),
        pytest.param(_sideways, "passes.lower_roll", "import tfjs_magic.passes.fold_scale", id="pass-to-pass"),
        pytest.param(_sideways, "layers.core", "from tfjs_magic.layers import pooling", id="family-to-family"),
        pytest.param(
            _sideways, "layers.operations", "from tfjs_magic.layers import merging", id="operations-to-family"
        ),
        pytest.param(
            _private_tensorflow, "graph.ir", "# 2.21\nfrom tensorflow.python import x", id="private-elsewhere"
        ),
        pytest.param(_private_tensorflow, "graph.grappler", "import tensorflow.python.x", id="private-unexplained"),
    ],
)
def test_the_checks_notice(check: object, module: str, source: str) -> None:
    assert callable(check)
    assert len(check(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("passes.a", "from tfjs_magic.graph.ir import Graph", id="downwards"),
        pytest.param("magics", "from tfjs_magic import convert", id="public-name"),
    ],
)
def test_the_checks_let_pass(module: str, source: str) -> None:
    assert _wrong_direction(module, source) == []


def test_every_part_has_a_rule() -> None:
    assert {module.split(".")[0] for module in SOURCES} <= MAY_IMPORT.keys()


def test_every_pass_is_in_the_pipeline() -> None:
    from tfjs_magic.passes import PIPELINE

    names = sorted({f"passes.{step.name}" for group in PIPELINE.values() for step in group})
    assert names == sorted(MEMBERS["passes"])


def test_import_is_light() -> None:
    """A notebook loads the extension before it needs any of this."""
    code = f"import sys, tfjs_magic; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"
