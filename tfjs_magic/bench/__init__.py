"""Runs a converted model in the notebook's own browser and brings the numbers back."""
