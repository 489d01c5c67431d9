"""Long-running processes: starting, watching, stopping Dagster and Superset."""
