"""The lake: opening it, what stands in it, who writes, upkeep."""
