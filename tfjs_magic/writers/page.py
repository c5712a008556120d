"""Write a page that runs a model, as a directory to serve or as one HTML file: whole or not at all."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tfjs_magic.artifacts import Artifacts
from tfjs_magic.errors import OptionError, SaveError, printable, quoted_list
from tfjs_magic.writers.directory import json_text, write_directory
from tfjs_magic.writers.staging import remove_leftovers, staged, staged_within, undo_moves, writable

INDEX = "index.html"
SCRIPT = "solo.js"
#: Most bytes of weights in one file: it takes four thirds of that, which phones still open.
MOST_IN_ONE_FILE = 25_000_000

_MARK = '<meta name="generator" content="tfjs_magic">'
#: What a page of ours is made of.
_PARTS = re.compile(
    r"index\.html|solo\.js|page\.js|runtime\.js|tfjs-backend-wasm(-simd)?\.wasm|THIRD_PARTY_LICENSES\.txt|samples\.bin"
    r"|model(/model\.json|/group\d+-shard\d+of\d+\.bin)?"
)
#: Nothing from elsewhere. The worker, the page's code and the WebAssembly file come as blobs; WebAssembly is compiled.
_POLICY = (
    "default-src 'none'; script-src {script} blob: 'wasm-unsafe-eval'; worker-src blob:; connect-src {files}blob:; "
    "style-src 'unsafe-inline'; img-src blob: data:; base-uri 'none'; form-action 'none'"
)
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;background:#fff;color:#212121;font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:60rem;margin:0 auto;padding:1.25rem 1rem 2.5rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}"
    ".lead{margin:0 0 1.25rem;color:#5f5f5f;max-width:42rem}"
    "#tfjs-magic .tfjs-magic{max-width:none;padding:0}#tfjs-magic .tm-models strong{display:none}"
    "@media(prefers-color-scheme:dark){body{background:#1e1e1e;color:#e0e0e0}.lead{color:#a8a8a8}}"
    "@media(pointer:coarse),(max-width:480px){#tfjs-magic :is(button,select,summary){min-height:40px}}"
)
_LEAD = (
    "Runs in this browser and is compared with what Python computed when the page was made. Nothing leaves this page."
)


def check_page_target(path: str | Path, *, single_file: bool, overwrite: bool = False) -> Path:
    """Return the absolute target if it can be written: absent, an empty directory, or a page that may be replaced.

    Raises:
        SaveError: It exists and may not be overwritten, or is no page of ours, or holds other things.
    """
    target = writable(path)
    remove_leftovers(target.parent, target.name)
    if not target.exists():
        return target
    if target.is_dir() == single_file:
        found, expected = ("directory", "file") if single_file else ("file", "directory")
        raise SaveError(f"'{target}' is a {found}; expected a {expected}. Choose another path.")
    if not single_file:
        remove_leftovers(target, INDEX, functools.partial(undo_moves, last=INDEX))
        if not any(target.iterdir()):
            return target
    if not overwrite:
        raise SaveError(f"'{target}' exists. Choose another path, or pass overwrite=True (--overwrite).")
    if not _is_page(target if single_file else target / INDEX):
        raise SaveError(f"'{target}' is no page of tfjs_magic and would be lost. Choose another path.")
    if not single_file and (others := [*_others(target)]):
        raise SaveError(f"'{target}' holds {quoted_list(others)} beside the page, which would be lost.")
    return target


def check_one_file(nbytes: int) -> None:
    """Refuse more bytes of weights than one file should hold.

    Raises:
        OptionError: There are.
    """
    if nbytes > MOST_IN_ONE_FILE:
        raise OptionError(
            f"single_file=True holds {MOST_IN_ONE_FILE / 1e6:.0f} MB of weights at most, the model has "
            f"{nbytes / 1e6:.1f} MB. Make a directory and serve it, or quantize the model."
        )


def write_page_directory(model: Artifacts, target: Path, *, title: str, data: str, files: Mapping[str, bytes]) -> None:
    """Write the page as a directory.

    Args:
        model: Goes into ``model/``, as ``save`` writes it.
        target: From :func:`check_page_target`.
        title: Plain text.
        data: JSON that is safe in a script element.
        files: The others by name, solo.js among them.

    Raises:
        SaveError: It cannot be written.
    """
    policy = _POLICY.format(script="'self'", files="'self' ")
    page = _html(title, policy, data, f'<script src="{SCRIPT}"></script>')
    nbytes = model.nbytes + sum(map(len, files.values()))
    with (
        staged_within(target, INDEX)
        if target.is_dir() and _is_empty(target)
        else staged(target, nbytes=nbytes) as place
    ):
        place.mkdir(exist_ok=True)
        write_directory(model, place / "model")
        for name, content in {**files, INDEX: page.encode()}.items():
            (place / name).write_bytes(content)


def write_page_file(model: Artifacts, target: Path, *, title: str, data: str, files: Mapping[str, bytes]) -> None:
    """Write the page as one HTML file; as :func:`write_page_directory`.

    Raises:
        SaveError: It cannot be written.
    """
    script = files[SCRIPT].decode()
    if "</script" in script or "<!--" in script:
        raise AssertionError("the script would end its element")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = _POLICY.format(script=f"'sha256-{digest}'", files="")
    packed = {name: content for name, content in files.items() if name != SCRIPT}
    blocks = "".join(_block(name, content) for name, content in (*packed.items(), *_model_files(model)))
    with staged(target, nbytes=2 * model.nbytes) as place:
        place.write_text(
            _html(title, policy, data, f"{blocks}<script>{script}</script>"), encoding="utf-8", newline="\n"
        )


def _model_files(model: Artifacts) -> Iterator[tuple[str, bytes]]:
    yield "model/model.json", json_text(model, {}).encode()
    for group in model.groups:
        for name, pieces in group.shards():
            yield f"model/{name}", b"".join(pieces)


def _block(name: str, content: bytes) -> str:
    return f'<script type="text/plain" data-file="{html.escape(name)}">{base64.b64encode(content).decode()}</script>\n'


def _html(title: str, policy: str, data: str, scripts: str) -> str:
    text = html.escape(printable(title))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'{_MARK}\n<link rel="icon" href="data:,">\n<title>{text}</title><style>{_STYLE}</style></head>\n'
        f'<body><main><h1>{text}</h1><p class="lead">{_LEAD}</p><div id="tfjs-magic"></div></main>\n'
        "<noscript>This page runs a model, for which it needs JavaScript.</noscript>\n"
        f'<script type="application/json" id="tfjs-magic-data">{data}</script>\n{scripts}\n</body></html>\n'
    )


def _is_empty(target: Path) -> bool:
    return not any(target.iterdir())


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(4096)
    except OSError:
        return False


def _others(target: Path) -> Iterator[str]:
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if not _PARTS.fullmatch(name):
            yield name
