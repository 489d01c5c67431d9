"""The assets by layer: `raw` from the source files, `models` from dbt, `checks` from quality, `upkeep` of the lake."""
