"""Kinds of charts: each turns the short form into Superset's parameters."""
