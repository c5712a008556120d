"""Weights as bytes: dtypes that TF.js stores, quantization, packing."""
