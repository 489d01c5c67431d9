"""What each data set means: its contract, its code lists, its place in the directory.

Belongs here: reading and checking contracts, and what is generated from them. Does not belong here:
testing rows against a contract (`quality`) or fetching rows (`pipelines`).
"""
