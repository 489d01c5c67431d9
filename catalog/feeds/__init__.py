"""Feeds: how the rows of a city's data sets become rows of the base tables, said in YAML.

A kind is a base table as every city fills it; a feed says where one data set has its columns. Staging models are made
from both. Does not belong here: reading and landing rows (`pipelines`), what a contract means (`catalog.contract`).
"""
