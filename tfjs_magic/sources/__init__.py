"""What the user handed us, made ready for conversion; one module per kind."""
