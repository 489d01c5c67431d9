"""Source systems: what a source file may say, and the files of the cities."""
