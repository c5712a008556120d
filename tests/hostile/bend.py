"""Bend a whole model into a hostile one: the same number and seed bend it the same way.

A file is bent as bytes (flipped, cut off, repeated, filled with zeros) or as what it means: one value of its JSON, one
field of its protobuf, one attribute or dataset of its HDF5, one member of its archive.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Read by no model; its text must never be in a result.
SECRET = b"SECRET-0123456789abcdef"


class Bender:
    """Bends one copy of a seed.

    Args:
        rng: Where every choice comes from.
        seeds: Directory of the seeds.
        outside: A directory that no case may read or write, with a file "secret".
    """

    def __init__(self, rng: random.Random, seeds: Path, outside: Path) -> None:
        self.rng = rng
        self.seeds = seeds
        self.outside = outside

    def bend(self, name: str, directory: Path) -> tuple[Path, str]:
        """Write a bent copy of a seed into ``directory``; return its path and what was done."""
        source, target = self.seeds / name, directory / name
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
        kinds = self._kinds(target)
        bend = self.rng.choice([*kinds, *kinds, *kinds, self._bytes, self._place])
        done = [bend(target)]
        if self.rng.random() < 0.2 and bend != self._place:  # nobody opens a pipe or a device here
            done.append(self.rng.choice([*kinds, self._bytes])(target))
        return target, "; ".join(done)

    def _kinds(self, target: Path) -> list[Callable[[Path], str]]:
        if target.suffix == ".keras":
            return [self._archive_json, self._archive_json, self._archive_member]
        if target.suffix == ".h5":
            return [self._hdf5_json, self._hdf5_json, self._hdf5]
        if target.suffix == ".pb":
            return [self._graph_def]
        if target.suffix == ".gz":
            return [self._tar]
        if (target / "model.json").exists():
            return [self._model_json]
        return [self._saved_model]

    # ------------------------------------------------------------------ bytes and places

    def _bytes(self, target: Path) -> str:
        file = self._file(target)
        data = bytearray(file.read_bytes())
        way = self.rng.choice(["flip", "cut", "repeat", "zeros", "other", "empty"])
        at = self.rng.randrange(len(data) or 1)
        if way == "flip":
            for _ in range(self.rng.choice([1, 1, 3, 30])):
                if data:
                    data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        elif way == "cut":
            del data[at:]
        elif way == "repeat":
            data[at:at] = data[at : at + 200] * self.rng.choice([1, 50])
        elif way == "zeros":
            data[at : at + 64] = bytes(64)
        elif way == "other":
            other = self._file(self.seeds / self.rng.choice(sorted(one.name for one in self.seeds.iterdir())))
            data[:] = other.read_bytes()
        else:
            data.clear()
        file.write_bytes(bytes(data))
        return f"{way} at byte {at} of {file.name}"

    def _file(self, target: Path) -> Path:
        return target if target.is_file() else self.rng.choice([p for p in sorted(target.rglob("*")) if p.is_file()])

    def _place(self, target: Path) -> str:
        """Put something else where a file was."""
        file = self._file(target)
        way = self.rng.choice(["pipe", "sparse", "directory", "link outside", "link to itself", "device", "gone"])
        file.unlink()
        if way == "pipe":
            os.mkfifo(file)
        elif way == "sparse":
            with file.open("wb") as opened:
                opened.truncate(2**31 + 5)
        elif way == "directory":
            file.mkdir()
        elif way == "link outside":
            file.symlink_to(self.outside / "secret")
        elif way == "link to itself":
            file.symlink_to(file.name)
        elif way == "device":
            file.symlink_to("/dev/zero")
        return f"{way} in the place of {file.name}"

    # ------------------------------------------------------------------ JSON

    def json_value(self, old: Any = None) -> Any:
        """Return a value that nobody expects."""
        path = str(self.outside / "secret")
        values: list[Any] = [
            *(None, True, -1, 0, 1, 2**31, 2**63, 10**7, 10**12, 1.5, float("nan"), float("inf"), "", "x", "../x"),
            *([], {}, [[]], [None], [10**6] * 3, "a" * 5000, "\x1b]0;x\x07", "\u202e", path, f"file://{path}"),
            {"class_name": "Lambda", "config": {"name": "evil", "function": ["4wAA", None, None]}},
            {"class_name": "TFOpLambda", "config": {"name": "o", "function": "io.write_file"}, "inbound_nodes": []},
            {"class_name": "function", "module": "os", "config": "system", "registered_name": "function"},
            {"class_name": "__lambda__", "config": {"value": ["4wAA", None, None]}},
            {"class_name": "Thing", "module": "evil_module", "config": {}, "registered_name": "Thing"},
            {"class_name": "TFSMLayer", "module": "keras.layers", "config": {"filepath": path}},
            {"class_name": "StringLookup", "module": "keras.layers", "config": {"vocabulary": path}},
        ]
        if isinstance(old, list):
            values += [old * 2, old[::-1], old[:-1], old * 1000]
        if isinstance(old, dict):
            values += [{**old, "name": "x"}, {"config": old}, {key: old[key] for key in list(old)[1:]}]
        if isinstance(old, (int, float)):
            values += [old + 1, -old, old * 1000, str(old), float(old)]
        return self.rng.choice(values)

    def bend_json(self, document: Any) -> tuple[Any, str]:
        """Change, remove or add one value."""
        places: list[tuple[Any, Any]] = []
        stack = [document]
        while stack:
            value = stack.pop()
            keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
            places += ((value, key) for key in keys)
            stack += (value[key] for key in keys)
        if not places:
            return self.json_value(document), "the whole"
        holder, key = self.rng.choice(places)
        way = self.rng.choice(["change", "change", "change", "remove", "deepen", "borrow"])
        if way == "change":
            holder[key] = self.json_value(holder[key])
        elif way == "remove":
            del holder[key]
        elif way == "deepen":
            for _ in range(self.rng.choice([1, 3, 300])):
                holder[key] = self.rng.choice([[holder[key]], {"config": holder[key]}])
        else:
            other, there = self.rng.choice(places)
            try:
                holder[key] = json.loads(json.dumps(other[there]))
            except (LookupError, RecursionError, ValueError):
                way = "nothing"
        return document, f"{way} {key!r}"

    def _bent_text(self, text: str | bytes) -> tuple[str, str]:
        if self.rng.random() < 0.05:
            return self.rng.choice(["[" * 100_000, "{}", "null", "[1]", "{", '{"a":' * 50_000, "NaN"]), "other text"
        try:
            document, done = self.bend_json(json.loads(text))
            return json.dumps(document), done
        except (RecursionError, ValueError):
            return "{", "no JSON"

    def _model_json(self, target: Path) -> str:
        file = target / "model.json"
        if not file.is_file():
            return "nothing"
        text, done = self._bent_text(file.read_text("utf-8", "replace"))
        file.write_text(text)
        return f"model.json: {done}"

    # ------------------------------------------------------------------ archives and HDF5

    def _members(self, target: Path) -> dict[str, bytes]:
        try:
            with zipfile.ZipFile(target) as archive:
                return {name: archive.read(name) for name in archive.namelist()}
        except Exception:  # noqa: BLE001 - likewise
            return {}

    def _write_members(self, target: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> None:
        if target.is_file():
            with zipfile.ZipFile(target, "w", kind) as archive:
                for name, data in members.items():
                    archive.writestr(name, data)

    def _archive_json(self, target: Path) -> str:
        members = self._members(target)
        name = self.rng.choice(["config.json"] * 9 + ["metadata.json"])
        if name not in members:
            return "nothing"
        text, done = self._bent_text(members[name])
        self._write_members(target, {**members, name: text.encode()})
        return f"{name}: {done}"

    def _archive_member(self, target: Path) -> str:
        members = self._members(target)
        way = self.rng.choice(["weights", "weights", "drop", "bomb", "outside", "npz", "deflate"])
        if way == "weights" and "model.weights.h5" in members:
            file = target.with_suffix(".inner.h5")
            file.write_bytes(members["model.weights.h5"])
            way = self._hdf5(file)
            members["model.weights.h5"] = file.read_bytes()
            file.unlink()
        elif way == "drop" and members:
            del members[self.rng.choice(sorted(members))]
        elif way == "bomb":
            members[self.rng.choice(["config.json", "model.weights.h5", "assets/x"])] = b" " * 80_000_000
        elif way == "outside":
            members["../outside"] = members["/tmp/outside"] = b"x"
        elif way == "npz":
            members["model.weights.npz"] = members.pop("model.weights.h5", b"")
        self._write_members(target, members, zipfile.ZIP_DEFLATED if way in {"bomb", "deflate"} else zipfile.ZIP_STORED)
        return way

    def _hdf5_json(self, target: Path) -> str:
        import h5py

        try:
            with h5py.File(target, "r+") as file:
                version = "2.15.0" if self.rng.random() < 0.3 else file.attrs["keras_version"]
                text, done = self._bent_text(file.attrs["model_config"])
                file.attrs["model_config"], file.attrs["keras_version"] = text, version
        except Exception as error:  # noqa: BLE001 - a file that is bent already
            return f"nothing: {type(error).__name__}"
        return f"model_config: {done}, of Keras {version!r}"

    def _hdf5(self, target: Path) -> str:
        """Bend a dataset, a group or an attribute."""
        import h5py
        import numpy as np

        way = self.rng.choice(
            ["storage", "link", "soft link", "virtual", "size", "circle", "dtype", "drop", "attribute"]
        )
        secret = str(self.outside / "secret")
        try:
            with h5py.File(target, "r+") as file:
                names: list[str] = []
                file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
                name = self.rng.choice(names)
                shape = file[name].shape
                if way == "attribute":
                    key = self.rng.choice(sorted(file.attrs) or ["x"])
                    file.attrs[key] = self.rng.choice([5, "x", np.zeros(3), h5py.Empty("f")])
                    return f"attribute {key}"
                del file[name]
                if way == "storage":
                    file.create_dataset(name, (3, 2), "u4", external=[(secret, 0, 24)])
                elif way == "link":
                    file[name] = h5py.ExternalLink(secret, "/v")
                elif way == "soft link":
                    file[name] = h5py.SoftLink("/nowhere")
                elif way == "virtual":
                    layout = h5py.VirtualLayout(shape or (1,), "f4")
                    layout[...] = h5py.VirtualSource(secret, "v", shape or (1,))
                    file.create_virtual_dataset(name, layout)
                elif way == "size":
                    file.create_dataset(name, (10**5, 10**5), "f4", chunks=(100, 100))
                elif way == "circle":
                    file[name] = file["/"]
                elif way == "dtype":
                    file[name] = np.array([b"text"] * 6) if self.rng.random() < 0.5 else np.ones(shape, np.int8)
        except Exception as error:  # noqa: BLE001 - a file that is bent already
            return f"nothing: {type(error).__name__}"
        return f"{way} of {name}"

    def _tar(self, target: Path) -> str:
        way = self.rng.choice(["long name", "link", "outside", "sparse", "device", "bomb", "bent"])
        members = []
        with tarfile.open(self.seeds / target.name) as archive:
            for member in archive:
                opened = archive.extractfile(member) if member.isfile() else None
                members.append((member, b"" if opened is None else opened.read()))
        extra, data = tarfile.TarInfo("extra"), b"x"
        if way == "long name":
            extra, data = tarfile.TarInfo("././@LongLink"), b"a" * 50_000_000
            extra.type = tarfile.GNUTYPE_LONGNAME
        elif way == "link":
            extra.type, extra.linkname, data = tarfile.SYMTYPE, str(self.outside / "secret"), b""
        elif way == "outside":
            extra.name = f"../../{self.outside.name}/written"
        elif way == "sparse":
            extra.type = tarfile.GNUTYPE_SPARSE
        elif way == "device":
            extra.type, data = tarfile.FIFOTYPE, b""
        elif way == "bomb":
            data = bytes(80_000_000)
        elif way == "bent":
            members = [(m, self._bent_proto(d) if m.name.endswith("saved_model.pb") else d) for m, d in members]
        extra.size = len(data)
        with tarfile.open(target, "w:gz", compresslevel=1) as archive:
            for member, content in [*members, (extra, data)]:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return way

    # ------------------------------------------------------------------ protobufs

    def _bent_proto(self, data: bytes) -> bytes:
        from tensorflow.core.protobuf import saved_model_pb2

        saved = saved_model_pb2.SavedModel()
        saved.ParseFromString(data)
        self._bend_meta_graph(saved.meta_graphs[0])
        return saved.SerializeToString()

    def _saved_model(self, target: Path) -> str:
        from tensorflow.core.protobuf import saved_model_pb2

        saved = saved_model_pb2.SavedModel()
        try:
            saved.ParseFromString((target / "saved_model.pb").read_bytes())
            done = self._bend_meta_graph(saved.meta_graphs[0])
            (target / "saved_model.pb").write_bytes(saved.SerializeToString())
        except Exception as error:  # noqa: BLE001 - a file that is bent already
            return f"nothing: {type(error).__name__}"
        return done

    def _graph_def(self, target: Path) -> str:
        from tensorflow.core.framework import graph_pb2

        graph_def = graph_pb2.GraphDef()
        try:
            graph_def.ParseFromString(target.read_bytes())
            done = self._bend_graph(graph_def)
            target.write_bytes(graph_def.SerializeToString())
        except Exception as error:  # noqa: BLE001 - a file that is bent already
            return f"nothing: {type(error).__name__}"
        return done

    def _bend_meta_graph(self, meta: Any) -> str:
        way = self.rng.choice(["graph", "graph", "graph", "asset", "objects", "signature", "function"])
        if way == "asset" and meta.asset_file_def:
            bad = self.rng.choice(["../../outside/secret", str(self.outside / "secret"), "", "..", "a\0b", "x" * 5000])
            for row in meta.asset_file_def:
                row.filename = bad
        elif way == "objects" and meta.object_graph_def.nodes:
            node = self.rng.choice(meta.object_graph_def.nodes)
            for child in node.children:
                child.node_id = self.rng.choice([0, -1, 10**6, self.rng.randrange(len(meta.object_graph_def.nodes))])
        elif way == "signature" and meta.signature_def:
            signature = meta.signature_def[self.rng.choice(sorted(meta.signature_def))]
            for info in (*signature.inputs.values(), *signature.outputs.values()):
                info.name = self.rng.choice(["gone:0", info.name, "x:99", "", ":"])
        elif way == "function" and meta.object_graph_def.concrete_functions:
            names = sorted(meta.object_graph_def.concrete_functions)
            row = meta.object_graph_def.concrete_functions[self.rng.choice(names)]
            row.bound_inputs.extend([self.rng.choice([0, 10**6, -5])])
        else:
            return self._bend_graph(meta.graph_def)
        return way

    def _bend_graph(self, graph_def: Any) -> str:  # noqa: C901, PLR0912 - one branch per way
        bodies = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
        nodes = self.rng.choice([body for body in bodies if body])
        node = self.rng.choice(nodes)
        way = self.rng.choice(["op", "op", "input", "circle", "attribute", "constant", "call", "name", "shape"])
        if way == "op":
            node.op = self.rng.choice(
                ["WriteFile", "ReadFile", "PrintV2", "EagerPyFunc", "Nothing", "MatMul", "", "Abort"]
            )
            if self.rng.random() < 0.7:
                self._write_on_the_way(nodes, node)
        elif way == "input" and node.input:
            node.input[0] = self.rng.choice(["gone", f"{node.input[0]}:7", "", ":", "^", "x:-1", "a" * 10_000])
        elif way == "circle" and node.input:
            node.input[0] = self.rng.choice([node.name, nodes[-1].name])
        elif way == "constant":
            constants = [one for one in nodes if one.op == "Const"]
            if constants:
                shape = self.rng.choice(constants).attr["value"].tensor.tensor_shape
                dim = self.rng.choice(shape.dim) if shape.dim else shape.dim.add()
                dim.size = self.rng.choice([0, -1, 10**5, 10**9, 2**62])
        elif way == "call" and graph_def.library.function:
            function = self.rng.choice(graph_def.library.function)
            for one in function.node_def:
                for value in one.attr.values():
                    if value.HasField("func"):
                        value.func.name = function.signature.name
            node.op = function.signature.name
        elif way == "attribute" and node.attr:
            key = self.rng.choice(sorted(node.attr))
            value = node.attr[key]
            self.rng.choice(
                [
                    value.Clear,
                    lambda: setattr(value, "i", 10**9),
                    lambda: setattr(value, "type", 99),
                    lambda: setattr(value, "s", b"x" * 1000),
                    lambda: setattr(value, "f", float("nan")),
                ]
            )()
        elif way == "shape":
            for one in nodes:
                if "shape" in one.attr and one.op.startswith("Placeholder"):
                    one.attr["shape"].shape.dim.add().size = self.rng.choice([-1, -5, 10**9])
        else:
            node.name = self.rng.choice(["", "x" * 10_000, "\x1b[31m", nodes[0].name])
        return f"{way} of {node.name[:30]}"

    def _write_on_the_way(self, nodes: Any, node: Any) -> None:
        """Make it a node that really writes, or reads, before another one runs."""
        path = nodes.add(name="evil_path", op="Const")
        path.attr["dtype"].type = path.attr["value"].tensor.dtype = 7
        path.attr["value"].tensor.tensor_shape.SetInParent()
        path.attr["value"].tensor.string_val.append(str(self.outside / "written").encode())
        write = nodes.add(name="evil_write", op="WriteFile")
        in_function = any(":" in ref and ref.count(":") == 2 for one in nodes for ref in one.input)
        ref = "evil_path:output:0" if in_function else "evil_path"
        write.input.extend([ref, ref])
        node.op = "Identity" if node.op == "" else node.op
        node.input.append("^evil_write")
