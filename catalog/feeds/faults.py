"""What is wrong with a city's feeds: every fault of every feed at once, each with its file, its place and the fix.

Without this dbt would say that a column, or a source named raw.x, was not found.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from catalog.check.common import Fault
from catalog.contract import Contract
from catalog.feeds.feed import Feed, FeedError
from catalog.feeds.staging import staging_sql
from catalog.feeds.values import Values

_WHOLE_FEED = ("id", "layer", "version")


def feed_faults(
    feeds: Iterable[Feed],
    contracts: Mapping[str, Contract],
    mappings: Collection[str],
    lists: Mapping[str, Collection[str]],
    landed: Collection[str],
    used_elsewhere: Collection[str] = (),
) -> list[Fault]:
    """All faults, by file.

    Args:
        feeds: of the city.
        contracts: of the city, by data set.
        mappings: names of the city's mapping files, without `map_` and ending.
        lists: the city's own lists -> their columns.
        landed: data sets that a source file brings.
        used_elsewhere: mappings that something else looks into.
    """
    found: list[Fault] = []
    used = set(used_elsewhere)
    is_whole = True
    feeds = list(feeds)
    for feed in feeds:
        found += _of_source(feed, contracts, lists, landed)
        found += _of_columns(feed, contracts, lists)
        wrong = list(_of_shape(feed))
        if wrong:
            found += wrong
            is_whole = False
            continue
        try:
            text = staging_sql(feed)
        except FeedError as error:
            found.append(Fault(_file(feed), "values", error.problem, error.fix or "see the values that feeds know"))
            is_whole = False
            continue
        named = {part.split("'")[0] for part in text.split("ref('map_")[1:]}
        used |= named
        found += [
            Fault(_file(feed), name.partition("__")[2] or name, f"there is no mapping {name}", fix)
            for name in sorted(named - set(mappings))
            for fix in [_meant(name, mappings, f"add mappings/map_{name}.csv")]
        ]
    found += [
        Fault(f"mappings/map_{name}.csv", "file", "no feed looks into it", "use it in a feed, or remove it")
        for name in sorted(set(mappings) - used)
        if is_whole  # which mappings a faulty feed uses is not known
    ]
    return sorted(dict.fromkeys(found))


def _of_source(
    feed: Feed, contracts: Mapping[str, Contract], lists: Mapping[str, Collection[str]], landed: Collection[str]
) -> Iterator[Fault]:
    """Where its rows come from."""
    name = _file(feed)
    if feed.dataset is None:
        own = _list_of(feed)
        if own not in lists:
            yield Fault(name, "from", f"there is no list {own}", _meant(own, lists, f"add lists/{own}.csv"))
    elif feed.dataset not in contracts:
        fix = _meant(feed.dataset, contracts, f"add contracts/{feed.dataset}.yml")
        yield Fault(name, "from", f"there is no data set {feed.dataset}", fix)
    elif feed.dataset not in landed:
        fix = f"name {feed.dataset} under `datasets` of a source file"
        yield Fault(name, "from", f"no source brings the data set {feed.dataset}", fix)


def _of_columns(feed: Feed, contracts: Mapping[str, Contract], lists: Mapping[str, Collection[str]]) -> Iterator[Fault]:
    """The columns of the data set that it names."""
    if feed.dataset is None:
        known = set(lists.get(_list_of(feed), ()))
    elif feed.dataset in contracts:
        known = {field.name for field in contracts[feed.dataset].fields}
    else:
        return
    if not known:
        return
    values = Values(feed)
    for place, value in _values(feed):
        try:
            for column in values.columns(value):
                if column not in known:
                    fix = _meant(column, known, "write a constant as {is: …}")
                    source = feed.dataset or _list_of(feed)
                    yield Fault(_file(feed), place, f"{source} has no column {column}", fix)
        except FeedError as error:
            yield Fault(_file(feed), place, error.problem, error.fix or "see the values that feeds know")


def _of_shape(feed: Feed) -> Iterator[Fault]:
    """What the kind has to do with it."""
    name, kind = _file(feed), feed.kind
    targets = [*feed.same, *feed.columns, *(column for given in feed.only.values() for column in given)]
    for column in targets:
        if column not in kind.columns:
            fix = _meant(column, kind.columns, f"see the kind {kind.name}")
            yield Fault(name, f"columns.{column}", f"the kind {kind.name} has no column {column}", fix)
    for column in sorted({column for column in targets if targets.count(column) > 1 and not feed.only}):
        yield Fault(name, f"columns.{column}", "is said twice", "say it under `same` or under `columns`")
    if feed.id is None and kind.id not in targets:
        yield Fault(name, "id", "nothing tells one thing from another", f"name the column of {kind.id}")
    if feed.layer is not None and "layer" not in kind.columns:
        yield Fault(name, "layer", f"the kind {kind.name} has no layers", "take it out")
    if feed.position is not None and kind.position is None:
        yield Fault(name, "position", f"the kind {kind.name} has no place", "take it out")
    if (feed.by is None) != (not feed.only):
        yield Fault(name, "by", "`by` and `only` belong together", "write both or neither")
    for column in kind.required:
        if column not in feed.fills:
            yield Fault(name, column, f"a {kind.name} always has it, and nothing fills it", "name where it comes from")


def _values(feed: Feed) -> Iterator[tuple[str, Any]]:
    """Every value of a feed with its place."""
    for place in _WHOLE_FEED:
        yield place, getattr(feed, place)
    yield "position", list(feed.position) if isinstance(feed.position, tuple) else feed.position
    yield "same", list(feed.same)
    yield "by", feed.by
    for name, value in feed.columns.items():
        yield f"columns.{name}", value
    for key, given in feed.only.items():
        for name, value in given.items():
            yield f"only.{key}.{name}", value
    for name, coded in feed.coded.items():
        yield f"{name}.source", coded.source
        yield f"{name}.name", coded.name
        yield f"{name}.key", coded.key
        yield f"{name}.else", None if isinstance(coded.else_, str) else coded.else_


def _list_of(feed: Feed) -> str:
    return "" if isinstance(feed.from_, str) else str(feed.from_.get("list", ""))


def _meant(name: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"use {close[0]}" if close else otherwise


def _file(feed: Feed) -> str:
    return f"feeds/{feed.file.name}"
