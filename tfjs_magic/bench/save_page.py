"""Save a benchmark of a model as a page that needs no kernel."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.bench.assets import Asset, load_assets, load_plain
from tfjs_magic.bench.static_page import MODEL_DIRECTORY, SAMPLES, page_data, script_json
from tfjs_magic.errors import OptionError
from tfjs_magic.options import BenchmarkOptions
from tfjs_magic.writers.page import (
    SCRIPT,
    check_one_file,
    check_page_target,
    write_page_directory,
    write_page_file,
)

_LICENSES = "THIRD_PARTY_LICENSES.txt"


def save_page(
    model: Artifacts, path: str | Path, options: BenchmarkOptions, *, single_file: bool = False, overwrite: bool = False
) -> Path:
    """Write the page; return its absolute path. Python runs the model on the samples before.

    Args:
        model: What the page runs.
        path: A directory; of a single file the HTML file.
        options: What is measured, and the samples.
        single_file: One file that opens from the disk, too.
        overwrite: Replace a page of ours that is there.

    Raises:
        SaveError: It cannot be written there.
        OptionError: The samples do not fit, or there are too many weights for one file.
        RunError: The browser files are not built.
    """
    if options.browser is not None:
        raise OptionError("browser is for benchmark(): whoever opens a page does so in a browser of theirs.")
    if single_file:
        check_one_file(model.nbytes)
    target = check_page_target(path, single_file=single_file, overwrite=overwrite)
    assets = load_assets()
    script = load_plain(SCRIPT).encode()
    data, samples = page_data(model, options)
    listed = {name: _row(name, asset, packed=single_file) for name, asset in assets.items()}
    places = {"model": f"{MODEL_DIRECTORY}/model.json", "samples": SAMPLES}
    data |= {"assets": listed, **{key: {"path": name, "encoding": "identity"} for key, name in places.items()}}
    content = {name: _bytes(asset, packed=single_file) for name, asset in assets.items()}
    files = {SCRIPT: script, **content, SAMPLES: samples}
    if not single_file:
        files[_LICENSES] = load_plain(_LICENSES).encode()
    write = write_page_file if single_file else write_page_directory
    write(model, target, title=model.report.name, data=script_json(data), files=files)
    return target


def _row(name: str, asset: Asset, *, packed: bool) -> dict[str, Any]:
    return {"path": name, "encoding": asset.encoding if packed else "identity", "sha256": asset.sha256}


def _bytes(asset: Asset, *, packed: bool) -> bytes:
    content = asset.path.read_bytes()
    return content if packed or asset.encoding == "identity" else gzip.decompress(content)
