"""What runs inside Superset's own environment.

Only the standard library, DuckDB, Superset, `warehouse.serving.reading` and `catalog.serve.superset.charts.colours` are
imported here, because that environment has none of the project's other requirements.
"""
