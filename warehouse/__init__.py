"""The lake itself: settings, opening it for reading and writing, its layout, upkeep and publishing.

Belongs here: everything that knows DuckDB and DuckLake. Does not belong here: what a data set means
(`catalog`), which rows are good (`quality`), when things run (`pipelines`).
"""
