"""The assets by layer: `raw` from sources, `models` from dbt, `checks` from quality, `share` for readers, upkeep."""
