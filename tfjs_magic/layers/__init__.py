"""Keras 3 models to tfjs-layers topologies, exactly or not at all; see :mod:`tfjs_magic.layers.topology`."""
