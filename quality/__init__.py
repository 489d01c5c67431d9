"""Which rows and tables are good: contract rules as SQL, suites for key tables, results.

Belongs here: everything that judges data. Does not belong here: fetching or scheduling (`pipelines`).
"""
