"""Graphs of TensorFlow 1: SavedModels and frozen graphs, without loading or running them."""
