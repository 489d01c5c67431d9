"""What runs inside Superset's own environment.

Only the standard library, DuckDB, Superset, `warehouse.serving` and `warehouse.superset.colours` are imported here,
because that environment has none of the project's other requirements.
"""
