"""The built files, as pages get them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tfjs_magic.bench.assets import Asset, load_assets, load_esm
from tfjs_magic.errors import RunError


def test_the_index_names_files_and_hashes(tmp_path: Path) -> None:
    (tmp_path / "page.js.gz").touch()
    (tmp_path / "assets.json").write_text(json.dumps({"page.js": "abc", "plain.wasm": "def"}))
    packed, plain = Asset(tmp_path / "page.js.gz", "abc"), Asset(tmp_path / "plain.wasm", "def")
    assert load_assets(tmp_path) == {"page.js": packed, "plain.wasm": plain}
    assert (packed.encoding, plain.encoding) == ("gzip", "identity")


def test_missing_bundles_are_named(tmp_path: Path) -> None:
    for load in (load_assets, load_esm):
        with pytest.raises(RunError, match=r"browser files are not built: .*make build"):
            load(tmp_path)
