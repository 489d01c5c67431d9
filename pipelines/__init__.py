"""When things run and in which order: sources, landing, Dagster's definitions and the command line.

Belongs here: everything that starts work. Does not belong here: how the lake is opened (`warehouse`),
what a data set means (`catalog`), which rows are good (`quality`).
"""
