"""What TF.js can run: the generated table and the check against it."""
