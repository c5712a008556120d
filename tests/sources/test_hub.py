"""Models from TF Hub: archives are checked before anything is written, handles need the extra."""

from __future__ import annotations

import http.server
import io
import sys
import tarfile
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf

from tests.conformance.node import TfjsNode
from tests.sources.v1_models import check, feeds_of, normal, save_v1, v1
from tfjs_magic import convert
from tfjs_magic.artifacts import Array
from tfjs_magic.errors import UnsupportedModelError

FEEDS = feeds_of(images=(3, 8))


@pytest.fixture
def module(tmp_path: Path) -> tuple[Path, list[dict[str, Array]]]:
    """Write a module of TensorFlow 1: no tags, signature "default"; and what it computes."""
    with tf.Graph().as_default():
        x = v1.placeholder(tf.float32, (None, 8))
        kernel = v1.get_variable("kernel", initializer=normal(8, 4), use_resource=False)
        signatures = {name: ({"images": x}, {"default": factor * x @ kernel}) for name, factor in _FACTORS.items()}
        expected = save_v1(tmp_path / "module", signatures, tags=(), feeds=FEEDS)
    (tmp_path / "module" / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return tmp_path / "module", expected


_FACTORS = {"default": 1.0, "image_feature_vector": 2.0}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


def test_a_module_of_tensorflow_1(tfjs_node: TfjsNode, module: tuple[Path, list[dict[str, Array]]]) -> None:
    path, expected = module
    model = convert(path)
    assert model.report.source == "SavedModel 'module', signature 'default'"
    check(tfjs_node, model, FEEDS, expected)


@pytest.mark.parametrize("top", [".", "deeper"])
@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz"])
def test_an_archive_leaves_nothing_behind(
    tfjs_node: TfjsNode, module: tuple[Path, list[dict[str, Array]]], scratch: Path, top: str, suffix: str
) -> None:
    path, expected = module
    archive = path.parent / f"m{suffix}"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(path, top)
    before = sorted(path.parent.iterdir())
    model = convert(archive)
    assert sorted(path.parent.iterdir()) == before
    assert list(scratch.iterdir()) == []
    assert model.outputs[0].name == "default"
    check(tfjs_node, model, FEEDS, expected)


def test_an_archive_of_tensorflow_2(tfjs_node: TfjsNode, tmp_path: Path, scratch: Path) -> None:
    saved = tf.Module()
    kernel = tf.Variable(normal(8, 4))
    saved.kernel = kernel
    spec = tf.TensorSpec((None, 8))
    saved.f = tf.function(lambda images: {"y": images @ kernel}, input_signature=[spec], autograph=False)
    tf.saved_model.save(saved, tmp_path / "saved", signatures=saved.f)
    with tarfile.open(tmp_path / "m.tgz", "w:gz") as tar:
        tar.add(tmp_path / "saved", ".")
    model = convert(tmp_path / "m.tgz")
    assert list(scratch.glob("tfjs_magic*")) == []  # AutoGraph leaves files of its own
    check(tfjs_node, model, FEEDS, [{"y": feed["images"] @ kernel.numpy()} for feed in FEEDS])


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))

    return write


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(_member("../evil"), r"member '\.\./evil', which leads outside", id="parent"),
        pytest.param(_member("a/../../evil"), "which leads outside", id="parent-inside"),
        pytest.param(_member("/evil"), "member '/evil', which leads outside", id="absolute"),
        pytest.param(_member("C:evil"), "which leads outside", id="drive"),
        pytest.param(_member("x", tarfile.SYMTYPE, "/etc"), "which is neither a file nor a directory", id="symlink"),
        pytest.param(_member("x", tarfile.LNKTYPE, "y"), "which is neither a file nor a directory", id="hard-link"),
        pytest.param(_member("x", tarfile.FIFOTYPE), "which is neither a file nor a directory", id="pipe"),
        pytest.param(_member("readme"), r"m\.tar\.gz' holds no saved_model\.pb", id="no-model"),
        pytest.param(lambda path: path.write_bytes(b"abc"), "cannot be unpacked: ", id="no-archive"),
        pytest.param(lambda path: path.write_bytes(b""), "cannot be unpacked: |no saved_model", id="empty"),
    ],
)
def test_refuses_archives(tmp_path: Path, scratch: Path, write: Callable[[Path], None], message: str) -> None:
    write(tmp_path / "m.tar.gz")
    with pytest.raises(UnsupportedModelError, match=message) as caught:
        convert(tmp_path / "m.tar.gz")
    assert "\n" not in str(caught.value)
    assert str(scratch) not in str(caught.value)
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.tar.gz", "scratch"]


def test_refuses_an_archive_that_unpacks_to_too_much(tmp_path: Path, scratch: Path) -> None:
    with tarfile.open(tmp_path / "m.tgz", "w:gz") as tar:
        for i in range(10_001):
            tar.addfile(tarfile.TarInfo(f"{i % 2}"))
    with pytest.raises(UnsupportedModelError, match=r"unpacks to over \d+ bytes or 10000 files"):
        convert(tmp_path / "m.tgz")
    assert list(scratch.iterdir()) == []


def test_a_handle_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(UnsupportedModelError, match=r"pip install 'tfjs-magic\[hub\]'"):
        convert("https://example.org/m/1")


def test_a_handle_is_resolved(
    tfjs_node: TfjsNode, module: tuple[Path, list[dict[str, Array]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, expected = module

    def resolve(handle: str) -> str:
        if "gone" in handle:
            raise OSError("no such\nhandle")
        return str(path)

    hub = types.ModuleType("tensorflow_hub")
    monkeypatch.setattr(hub, "resolve", resolve, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_hub", hub)
    check(tfjs_node, convert("https://example.org/m/1"), FEEDS, expected)
    with pytest.raises(UnsupportedModelError, match=r"cannot fetch 'https://example\.org/gone': no such handle"):
        convert("https://example.org/gone")


@pytest.fixture
def server(module: tuple[Path, list[dict[str, Array]]]) -> Iterator[str]:
    """Serve the module as TF Hub does: its archive for a handle with ?tf-hub-format=compressed, and no other."""
    path, _ = module
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(path, arcname=".")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/google/net/1?tf-hub-format=compressed"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/x-tar")
            self.end_headers()
            if found:
                self.wfile.write(archive.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_port}/google/net/1"
        http_server.shutdown()


def test_the_real_package_fetches_from_a_server(
    tfjs_node: TfjsNode,
    module: tuple[Path, list[dict[str, Array]]],
    server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tensorflow_hub", reason="tensorflow_hub, the extra hub, is not installed")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    _, expected = module
    check(tfjs_node, convert(server), FEEDS, expected)
    double = [{name: 2 * value for name, value in wanted.items()} for wanted in expected]
    check(tfjs_node, convert(server, signature="image_feature_vector"), FEEDS, double)
    with pytest.raises(UnsupportedModelError, match=r"cannot fetch 'http://127\.0\.0\.1.*/2': .*404"):
        convert(f"{server.removesuffix('1')}2")


def test_http_from_elsewhere_is_no_handle() -> None:
    with pytest.raises(UnsupportedModelError, match="does not exist"):
        convert("http://example.org/net/1")
