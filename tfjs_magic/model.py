"""A converted model with its verbs, and ``load``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfjs_magic.artifacts import Array, Artifacts, ConversionReport
from tfjs_magic.errors import UnsupportedModelError, reason_of
from tfjs_magic.graph.shapes import infer_shapes
from tfjs_magic.layers.classes import layer_classes
from tfjs_magic.ops.caveats import caveats
from tfjs_magic.ops.check import count_ops, missing_per_backend
from tfjs_magic.options import BenchmarkOptions
from tfjs_magic.sources.boundary import one_sentence
from tfjs_magic.sources.eagerly import eagerly
from tfjs_magic.sources.tfjs import DAMAGES, read_tfjs
from tfjs_magic.sources.tfjs_graph import graphs_of
from tfjs_magic.weights.pack import unpack_weights
from tfjs_magic.writers.directory import write_directory
from tfjs_magic.writers.summary import summary_html, summary_text

if TYPE_CHECKING:
    from tfjs_magic.bench.widget import Benchmark


class TfjsModel(Artifacts):
    """A TF.js web-format model in memory: a snapshot, training the source changes nothing in it.

    Its data: ``format`` ("layers-model" or "graph-model"), ``inputs`` and ``outputs`` (the user's names, in the user's
    order), ``topology`` and ``header`` (what ``model_json`` is made of), ``groups`` and ``nbytes`` (the weight bytes),
    ``report``, and ``reference``, Python's side of the comparison; see :class:`~tfjs_magic.artifacts.Artifacts`.
    """

    @property
    def weights(self) -> dict[str, Array]:
        """Weight name → array as TF.js will hold it (quantized ones decoded). Views where nothing is decoded."""
        return {entry.name: entry.data for group in self.groups for entry in unpack_weights(group)}

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write ``model.json`` and the shards; see :func:`tfjs_magic.writers.directory.write_directory`."""
        return write_directory(self, directory, overwrite=overwrite)

    def to_keras(self) -> Any:
        """Return a layers model as a Keras 3 model with the same layer names and weights (quantized ones decoded).

        TF.js's hard sigmoid, which Keras 3 does not have, comes as a function registered as "tfjs_magic>hard_sigmoid".
        ``convert`` reads a file that holds it; for ``keras.models.load_model`` name it in ``custom_objects``, as
        ``tfjs_magic.layers.tfjs_functions.hard_sigmoid``.

        Raises:
            UnsupportedModelError: It is a graph model; or Keras cannot hold a layer or an option of it.
        """
        from tfjs_magic.layers.to_keras import keras_model  # noqa: PLC0415 - imports Keras

        self._check_layers("become a Keras model")
        with one_sentence(self.report.source):
            return eagerly(lambda: keras_model(self.topology, self.weights))

    def weights_into(self, model: Any) -> None:
        """Load the weights of a layers model, trained in TF.js, into the Keras 3 model that it was converted from.

        Args:
            model: That model, or one with the same layers under the same names.

        Raises:
            UnsupportedModelError: Names or shapes differ; nothing is loaded then.
        """
        from tfjs_magic.layers.topology import fill_weights  # noqa: PLC0415 - not needed for graph models

        self._check_layers("give its weights to a Keras model")
        fill_weights(model, self.weights)

    def _check_layers(self, purpose: str) -> None:
        if self.format != "layers-model":
            raise UnsupportedModelError(f"A graph model cannot {purpose}: it holds a graph, not layers.")

    def benchmark(self, **options: Any) -> Benchmark:
        """Run it in this notebook's browser; see :func:`tfjs_magic.benchmark`."""
        from tfjs_magic.bench.widget import Benchmark  # noqa: PLC0415 - imports anywidget

        return Benchmark.of({self.report.name: self}, BenchmarkOptions(**options))

    def save_page(
        self, path: str | Path, *, single_file: bool = False, overwrite: bool = False, **options: Any
    ) -> Path:
        """Write a page that runs the model in any browser, and compares it there with what Python computes now.

        Args:
            path: The directory to make, for any server of files; with ``single_file`` the HTML file.
            single_file: One file that a double click opens, with up to 25 MB of weights.
            overwrite: Replace such a page that is there.
            options: ``backends``, ``runs``, ``samples``, ``tolerance`` and others of :func:`tfjs_magic.benchmark`;
                of a model that takes a picture ``class_names`` and ``pixels``, with which readers try theirs.

        Returns:
            The absolute path.

        Raises:
            SaveError: It cannot be written there; see :func:`tfjs_magic.writers.page.check_page_target`.
            ValueError: An option or the samples do not fit.
        """
        from tfjs_magic.bench.save_page import save_page  # noqa: PLC0415 - not needed to convert

        return save_page(self, path, BenchmarkOptions(**options), single_file=single_file, overwrite=overwrite)

    def _repr_html_(self) -> str:
        return summary_html(self)

    def __repr__(self) -> str:
        return summary_text(self)


def load(path: str | Path) -> TfjsModel:
    """Read a TF.js model into memory.

    Args:
        path: A ``model.json``, or the directory that holds one.

    Returns:
        The model; its ``reference`` is None, since the files do not say what they were converted from.

    Raises:
        UnsupportedModelError: It is missing, damaged, or points outside its directory.
    """
    with one_sentence(f"'{path}'"):
        model = with_verbs(read_tfjs(path))
        return dataclasses.replace(model, report=op_report(model))


def with_verbs(artifacts: Artifacts) -> TfjsModel:
    """Return the model that is made of ``artifacts``."""
    return TfjsModel(**{field.name: getattr(artifacts, field.name) for field in dataclasses.fields(artifacts)})


def op_report(model: Artifacts) -> ConversionReport:
    """Return the model's report with what the topology holds: layers, or ops and which backend can run them."""
    try:
        if model.format == "layers-model":
            return dataclasses.replace(model.report, ops=layer_classes(model.topology))
        graphs = graphs_of(model)
        for graph in graphs:
            graph.sort()
            infer_shapes(graph)
        return dataclasses.replace(
            model.report,
            ops=count_ops(*graphs),
            backends=missing_per_backend(*graphs),
            caveats=caveats(*graphs),
        )
    except (UnsupportedModelError, *DAMAGES) as error:
        note = f"What it holds was not checked: {reason_of(error)}."
        return dataclasses.replace(model.report, notes=(*model.report.notes, note))
