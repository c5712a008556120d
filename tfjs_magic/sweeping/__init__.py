"""Many models in many variants: each is converted, compared with Python and measured, and becomes a row."""
