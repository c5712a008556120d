"""What the magics are made of: their line, the names in it, and the cell's body."""
