"""Whole models of every kind of file, as small as they can be: ``python -m tests.hostile.seeds DIRECTORY``.

A process of its own writes them, so that the one that forks for each case has run nothing in TensorFlow.
"""

from __future__ import annotations

import sys
import tarfile
import warnings
from pathlib import Path
from typing import Any

#: Name of a seed → the outputs that have to be named to convert it.
SEEDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("three.keras", "three.h5", "two.h5", "two.keras", "layers", "graph", "loop"), ()),
    **dict.fromkeys(("saved", "words", "old_words", "archive.tar.gz"), ()),
    "frozen.pb": ("out",),
}


def write_seeds(directory: Path) -> None:
    """Write one model of each kind."""
    import keras
    import tensorflow as tf
    import tf_keras

    from tfjs_magic import convert

    keras.utils.set_random_seed(1)
    three = _model(keras)
    three.compile("adam", "mse")
    three.save(directory / "three.keras")
    three.save(directory / "three.h5")
    two = _model(tf_keras)
    two.save(directory / "two.keras")
    two.save(directory / "two.h5")
    convert(three, format="layers").save(directory / "layers")
    convert(three, format="graph", quantize="uint8").save(directory / "graph")
    recurrent = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(2)])
    convert(recurrent, format="graph").save(directory / "loop")
    three.export(directory / "saved", verbose=False)
    (directory / "words.txt").write_text("ant\nbee\ncat\n")
    tf.saved_model.save(_words(tf, str(directory / "words.txt")), str(directory / "words"))
    _write_old_words(tf, directory)
    with tarfile.open(directory / "archive.tar.gz", "w:gz") as archive:
        archive.add(directory / "saved", ".")
    (directory / "frozen.pb").write_bytes(_frozen(tf).SerializeToString())
    (directory / "words.txt").unlink()


def _model(keras: Any) -> Any:
    layers = keras.layers
    x = layers.Input((6, 4), name="x")
    y = layers.Conv1D(3, 2, activation="relu", name="conv")(x)
    y = layers.BatchNormalization(name="norm")(y)
    y = layers.Concatenate(name="both")([y, layers.Dropout(0.5, name="drop")(y)])
    y = keras.Sequential(
        [layers.Dense(2, name="inner", input_shape=(5, 6))]
        if keras.__version__ < "3"
        else [keras.Input((5, 6)), layers.Dense(2, name="inner")],
        name="nested",
    )(y)
    return keras.Model(x, layers.Dense(3, name="out")(layers.Flatten(name="flat")(y)), name="model")


def _words(tf: Any, file: str) -> Any:
    module = tf.Module()
    from_file = tf.lookup.TextFileInitializer(
        file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    module.table = tf.lookup.StaticHashTable(from_file, -1)
    module.numbers = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["dog"], [7]), 0)
    spec = [tf.TensorSpec([None], tf.string, name="word")]
    module.f = tf.function(
        lambda word: {"y": tf.cast(module.table.lookup(word), tf.float32), "z": module.numbers.lookup(word)},
        input_signature=spec,
        autograph=False,
    )
    return module


def _write_old_words(tf: Any, directory: Path) -> None:
    """As TensorFlow 1 writes a table that is filled from an asset."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        word = v1.placeholder(tf.string, [None], name="word")
        file = tf.constant(str(directory / "words.txt"), name="file")
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, file)
        fields = tf.lookup.TextFileIndex
        filled = tf.lookup.TextFileInitializer(file, tf.string, fields.WHOLE_LINE, tf.int64, fields.LINE_NUMBER)
        table = tf.lookup.StaticHashTable(filled, -1)
        scale = v1.get_variable("scale", initializer=2.0)
        y = tf.cast(table.lookup(word), tf.float32) * scale
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.saved_model.simple_save(
            session, str(directory / "old_words"), {"word": word}, {"y": y}, legacy_init_op=v1.tables_initializer()
        )


def _frozen(tf: Any) -> Any:
    """A graph that calls a function of its library."""
    half = tf.function(lambda v: v * 0.5 + 1.0, autograph=False, input_signature=[tf.TensorSpec([None, 3])])
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        product = tf.matmul(x, tf.constant([[float(i * j % 5) for j in range(3)] for i in range(4)], name="kernel"))
        first, second = tf.split(tf.concat([half(product), product], 1), 2, axis=1, name="parts")
        tf.add(first, tf.nn.relu(second), name="out")
    return graph.as_graph_def()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write_seeds(Path(sys.argv[1]))
