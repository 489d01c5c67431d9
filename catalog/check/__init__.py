"""Every fault of every file of the catalogue, told at once."""
