"""The made-up city 云泽市 (Yunze) and everything that plays its source systems.

Belongs here: a seeded generator of areas, components, cases and permits, the writers of its departments' files, the
hotline's HTTP service, the permit office's PostgreSQL. Does not belong here: anything that reads the lake, and any
fact about a real place. The city lies in open sea and its administrative codes start with 9901, which no real place
uses; callers and applicants carry names and numbers that cannot exist.

All times are local (Beijing) time without an offset. The clock is the data's own: nothing here reads the wall clock.
"""
