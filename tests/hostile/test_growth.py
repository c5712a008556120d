"""Few bytes that would become many: what TensorFlow, Keras and archives would make of them is known before."""

from __future__ import annotations

import bz2
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfjs_magic import convert
from tfjs_magic.errors import UnsupportedModelError
from tfjs_magic.sources import hdf5
from tfjs_magic.sources.graph_check import check_structure
from tfjs_magic.sources.hdf5 import check_archive, check_hdf5, read_member
from tfjs_magic.sources.keras_wiring import check_wiring

MANY = 10**9
h5py = pytest.importorskip("h5py")


def _fill(x: Any, n: Any) -> Any:
    """As sizes of a shape, each number would take 60 bytes while the graph is imported."""
    return tf.reshape(x, tf.fill([n], 1)[:1])


GROWING: dict[str, Callable[[Any, Any], Any]] = {
    "Fill": _fill,
    "Range": lambda x, n: x + tf.reduce_sum(tf.cast(tf.range(n), tf.float32)),
    "Range of linspace": lambda x, n: x + tf.reduce_sum(tf.linspace(0.0, 1.0, n)),
    "LinSpace": lambda x, n: x + tf.reduce_sum(tf.raw_ops.LinSpace(start=0.0, stop=1.0, num=n)),
    "Tile": lambda x, n: x + tf.reduce_sum(tf.tile([1.0, 2.0], [n])),
    "BroadcastTo": lambda x, n: x + tf.reduce_sum(tf.broadcast_to(1.0, [n, 1])),
    "OneHot": lambda x, n: x + tf.reduce_sum(tf.one_hot([1, 2], n)),
    "Pad": lambda x, n: x + tf.reduce_sum(tf.pad([1.0], [[n, 0]])),
    "StatelessRandomNormalV2": lambda x, n: x + tf.reduce_sum(tf.random.stateless_normal([n], [1, 2])),
    "ScatterNd": lambda x, n: x + tf.reduce_sum(tf.scatter_nd([[0]], [1.0], [n])),
}  # fmt: skip


def _graph(build: Callable[[Any, Any], Any]) -> Any:
    """Build a graph with the number 5, and put a large one in its place: TensorFlow would compute what it builds."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, None, name="x")
        tf.identity(build(x, tf.constant(5, name="n")), name="out")
    return graph.as_graph_def()


@pytest.mark.parametrize("op", GROWING)
def test_a_graph_makes_no_more_of_constants_than_a_model_needs(tmp_path: Path, op: str) -> None:
    graph_def = _graph(GROWING[op])
    check_structure(graph_def, "m")
    next(node for node in graph_def.node if node.name == "n").attr["value"].tensor.int_val[:] = [MANY]
    (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=rf"\({op.partition(' ')[0]}\) of .* makes .* numbers of constants"):
        convert(tmp_path / "m.pb", outputs="out")


def test_what_doubles_again_and_again(tmp_path: Path) -> None:
    def doubled(x: Any, n: Any) -> Any:
        parts = tf.reshape(n, [1])
        for _ in range(40):
            parts = tf.concat([parts, parts], 0)
        return x + tf.cast(tf.size(parts), tf.float32)

    with tf.Graph().as_default() as graph:
        x, n = (tf.compat.v1.placeholder(kind, [], name=name) for kind, name in ((tf.float32, "x"), (tf.int32, "n")))
        tf.identity(doubled(x, n), name="out")
    graph_def = graph.as_graph_def()
    check_structure(graph_def, "m")  # of an input, it is only described
    node = next(node for node in graph_def.node if node.name == "n")
    node.CopyFrom(_graph(lambda x, _: x).node[1])
    assert (node.op, node.name) == ("Const", "n")
    (tmp_path / "m.pb").write_bytes(graph_def.SerializeToString())
    with pytest.raises(UnsupportedModelError, match=r"\(ConcatV2\) of .* makes .* numbers of constants"):
        convert(tmp_path / "m.pb", outputs="out")


def test_what_a_model_needs_may_be_made() -> None:
    check_structure(_graph(lambda x, _: x + tf.reduce_sum(tf.eye(512)) + tf.ones([4096, 4096])[0, 0]), "m")
    check_structure(_graph(lambda x, _: tf.tile(tf.reshape(x, [1]), [MANY])), "m")
    check_structure(_graph(lambda x, _: tf.fill(tf.cast(tf.reshape(x, [1]), tf.int32), 1.0)), "m")


@pytest.mark.parametrize("shape", [(), (2**20,)])
def test_a_table_has_no_more_room_than_a_model_needs(shape: tuple[int, ...]) -> None:
    """A resource of a SavedModel is made while it is loaded."""
    graph_def = tf.compat.v1.GraphDef()
    node = graph_def.node.add(name="t", op="MutableDenseHashTableV2")
    node.attr["initial_num_buckets"].i = 2**17
    check_structure(graph_def, "m")
    node.attr["initial_num_buckets"].i = 2**17 if shape else 2**40
    node.attr["value_shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
    with pytest.raises(UnsupportedModelError, match=r"\(MutableDenseHashTableV2\) of m makes"):
        check_structure(graph_def, "m")


# ---------------------------------------------------------------------- Keras files


@pytest.fixture
def members(tmp_path: Path) -> dict[str, bytes]:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(path: Path, members: dict[str, bytes], method: int = 0, packed: dict[str, bytes] | None = None) -> Path:
    """Write an archive whose members are packed by hand, and are as long as they were said to be."""
    body = directory = b""
    for name, data in members.items():
        stored = (packed or {}).get(name, data)
        kind = method if name in (packed or {}) else 0
        sizes = struct.pack("<III", zlib.crc32(data), len(stored), len(data))
        head = struct.pack("<HHHHH", 20, 0, kind, 0, 0x21) + sizes + struct.pack("<HH", len(name), 0)
        directory += b"PK\1\2\x14\0" + head + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\3\4" + head + name.encode() + stored
    counts = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\5\6" + counts)
    return path


def _deflated(data: bytes, mebibytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [packer.compress(data), *(packer.compress(bytes(2**20)) for _ in range(mebibytes)), packer.flush()]
    return b"".join(pieces)


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_member_is_as_long_as_it_is_said_to_be(tmp_path: Path, members: dict[str, bytes], name: str) -> None:
    """The zipfile module would unpack all of it before it takes the part that was announced."""
    file = _zipped(tmp_path / "m.keras", members, 8, {name: _deflated(members[name], 0)})
    assert convert(file).format == "layers-model"
    file = _zipped(tmp_path / "m.keras", members, 8, {name: _deflated(members[name], 30)})
    with pytest.raises(UnsupportedModelError, match=r"packed in an odd way: it is no file of \d+ bytes"):
        convert(file)
    file = _zipped(tmp_path / "m.keras", members, 12, {name: bz2.compress(members[name] + bytes(10**7))})
    with pytest.raises(UnsupportedModelError, match=r"packed in an odd way|as Keras does not"):
        convert(file)
    with zipfile.ZipFile(file) as archive, pytest.raises(UnsupportedModelError, match="expected at most 5"):
        read_member(file, archive.getinfo(name), most=5)


def test_an_archive_has_few_members(tmp_path: Path, members: dict[str, bytes]) -> None:
    file = _zipped(tmp_path / "m.keras", {**members, **{f"assets/{i}": b"" for i in range(20_000)}})
    with pytest.raises(UnsupportedModelError, match="has 20003 members; expected at most"):
        check_archive(file)


def test_a_file_holds_no_more_bytes_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset may be said to have any length, or to lie where another one does."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        file["v"] = np.zeros(20_000_000, np.float32)
    assert check_hdf5(data, "m") == 20_000_000
    monkeypatch.setattr(hdf5, "_length", lambda _: 10)
    with pytest.raises(UnsupportedModelError, match="of which the file holds 10"):
        check_hdf5(data, "m")


def test_names_of_an_hdf5_file_are_counted() -> None:
    data = io.BytesIO()
    with h5py.File(data, "w", libver="latest") as file:
        file["v"] = 1.0
        group = file.create_group("links")
        for i in range(50_001):
            group[str(i)] = file["v"]
    with pytest.raises(UnsupportedModelError, match="holds over 50000 groups and datasets"):
        check_hdf5(data, "m")


def _called(class_name: str, node: Any) -> dict[str, Any]:
    source = {"class_name": "InputLayer", "name": "x", "config": {}, "inbound_nodes": []}
    return {"layers": [source, {"class_name": class_name, "name": "a", "config": {}, "inbound_nodes": [node]}]}


NUMBER = {"class_name": "__numpy__", "config": {"value": [[1.0]], "dtype": "float32"}}
TENSOR = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}


def test_no_layer_takes_constants_alone() -> None:
    """Keras would call it at once, on tensors of any size."""
    check_wiring("m", _called("Add", {"args": [TENSOR, NUMBER], "kwargs": {}}))
    check_wiring("m", _called("TFOpLambda", [["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0]}]]))
    for config in (
        _called("RepeatVector", {"args": [NUMBER], "kwargs": {}}),
        _called("RepeatVector", {"args": [{**NUMBER, "config": {"value": TENSOR}}], "kwargs": {}}),
        _called("TFOpLambda", [["_CONSTANT_VALUE", -1, [MANY], {}]]),
    ):
        with pytest.raises(UnsupportedModelError, match="the layers 'a' take tensors that no layer gives"):
            check_wiring("m", config)


def test_an_array_has_numbers_or_texts_of_their_own_length() -> None:
    for dtype in ("float32", "int64", "bool", "bfloat16", "str", "string"):
        check_wiring("m", {"value": {"class_name": "__numpy__", "config": {"value": [1], "dtype": dtype}}})
    for dtype in ("S200000000", "<U300000000", "V9", ["f4"], "f4,f4"):
        with pytest.raises(UnsupportedModelError, match="an array of dtype"):
            check_wiring("m", {"value": {"class_name": "__numpy__", "config": {"value": [1], "dtype": dtype}}})


def test_what_is_not_stored_is_small(tmp_path: Path, members: dict[str, bytes]) -> None:
    """Keras would draw orthogonal numbers for it, which takes seconds for 10^7."""
    config = json.loads(members["config.json"])
    config["config"]["layers"][1]["config"]["units"] = 10**6
    file = _zipped(tmp_path / "m.keras", {**members, "config.json": json.dumps(config).encode()})
    with pytest.raises(UnsupportedModelError, match="more than the file holds"):
        convert(file)


# ---------------------------------------------------------------------- archives of TF Hub


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_no_member_has_a_size_below_zero(tmp_path: Path, kind: bytes) -> None:
    """Tar would go back and forth in the archive, or read all that is left at once."""
    member = tarfile.TarInfo("saved_model.pb")
    member.type = kind
    header = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -1024)  # the size, in base 256
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    with tarfile.open(tmp_path / "m.tar.gz", "w:gz") as archive:
        assert archive.fileobj is not None
        archive.fileobj.write(bytes(header) + bytes(4096))
    with pytest.raises(UnsupportedModelError, match=r"cannot be unpacked|unpacks to over|holds no saved_model"):
        convert(tmp_path / "m.tar.gz")
