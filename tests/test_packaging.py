"""The wheel holds all that a user needs, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "tfjs_magic" / "static"
MAX_WHEEL_BYTES = 5_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built as a release is: from its sdist, in an environment of its own."""
    assert (STATIC / "widget.js").exists(), "the bundles are not built; 'make test-slow' builds them"
    target = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", str(target)], cwd=ROOT, check=True, timeout=240)
    (found,) = target.glob("*.whl")
    return found


@pytest.mark.slow
def test_wheel_holds_the_package_and_its_bundles(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == {"tfjs_magic"}
    assert {path.relative_to(ROOT).as_posix() for path in STATIC.iterdir()} <= names
    assert {"tfjs_magic/py.typed", "tfjs_magic/ops/supported.json"} <= names
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES


@pytest.mark.slow
def test_wheel_installs_and_imports_without_node(wheel: Path, tmp_path: Path) -> None:
    """PATH holds nothing but the new environment; its dependencies are not what is tested."""
    venv.create(tmp_path, with_pip=True)
    python = tmp_path / "bin" / "python"
    env = {**os.environ, "PATH": str(python.parent)}
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], env=env, check=True)
    code = "import tfjs_magic, pathlib; print(pathlib.Path(tfjs_magic.__file__).with_name('static') / 'widget.js')"
    done = subprocess.run([python, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).is_file()
    assert tmp_path in Path(done.stdout.strip()).parents
