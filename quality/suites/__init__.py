"""Expectation suites of key tables: declared, run and reported."""
