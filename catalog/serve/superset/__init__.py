"""Superset as this project's analysts see it: dashboards and access as code, and what runs inside Superset."""
