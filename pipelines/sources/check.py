"""Everything that a city's folder says, checked at once: its own file, sources, contracts, feeds, mappings.

`gridlake check` prints the faults, and `gridlake run` refuses what it finds. Nothing is asked of a source or of the
lake, so a city's repository can run it wherever GridLake is installed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.check.common import Fault
from catalog.check.contracts import check_contracts
from catalog.city import City, load_city
from catalog.contract import Contract, load_contract
from catalog.feeds.faults import feed_faults
from catalog.feeds.feed import Feed, FeedError, load_feed
from pipelines.sources.declared import SourceSystem, load_source, source_faults
from warehouse.errors import GridLakeError

_MAPPING_COLUMNS = ("source_code", "code", "mapping_method")
_METHODS = frozenset({"exact", "broader", "narrower", "local", "none"})


class CityFaults(GridLakeError):
    """The folder of a city has faults."""


@dataclass(frozen=True)
class Checked:
    """What was looked at and what was found; `counts` are files by part."""

    city: City
    counts: dict[str, int]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{count} {part}" for part, count in self.counts.items())
        return f"{self.city.key}: {told}; {len(self.faults)} faults"


def check_city(folder: Path) -> Checked:
    """Every fault of every file, by file.

    Raises:
        CityError: the folder is none of a city, or its `city.yml` cannot be read.
    """
    city = load_city(folder)
    faults = check_contracts(folder, city.key)
    wrong = {fault.file for fault in faults}
    contracts = {
        path.stem: load_contract(path) for path in city.files("contracts") if f"contracts/{path.name}" not in wrong
    }
    systems: list[SourceSystem] = []
    for path in city.files("sources"):
        wrong_form = source_faults(path)
        if wrong_form:
            faults += [Fault(f"sources/{path.name}", found.place, found.problem, found.fix) for found in wrong_form]
        else:
            systems.append(load_source(path))
    faults += _of_sources(city, systems, {path.stem for path in city.files("contracts")})
    feeds: list[Feed] = []
    for path in city.files("feeds"):
        try:
            feeds.append(load_feed(path))
        except FeedError as error:
            faults.append(_fault(error, f"feeds/{path.name}"))
    own = {path.stem: path.read_text(encoding="utf-8") for path in city.files("models", "**/*.sql")}
    # What a model by hand looks into is used too; what a feed that cannot be read uses is not known.
    is_whole = len(feeds) == len(city.files("feeds"))
    used = {name for name in city.mappings if not is_whole or any(f"map_{name}" in text for text in own.values())}
    faults += _of_feeds(city, [feed for feed in feeds if feed.model not in own], contracts, systems, used)
    for path in city.files("mappings", "*.csv"):
        faults += _of_mapping(path)
    counts = {part: len(city.files(part)) for part in ("sources", "contracts", "feeds")}
    counts |= {part: len(city.files(part, "*.csv")) for part in ("mappings", "lists")}
    return Checked(city, counts, tuple(sorted(dict.fromkeys(faults))))


def require_sound(folder: Path) -> None:
    """Do nothing where all is sound.

    Raises:
        CityFaults: lists every fault of every file.
    """
    faults = check_city(folder).faults
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        raise CityFaults(
            f"{len(faults)} faults in the city's files:\n{listing}",
            where=str(folder),
            fix="mend them, and check again",
        )


def _of_sources(city: City, systems: list[SourceSystem], contracts: set[str]) -> Iterator[Fault]:
    if not city.files("sources"):
        yield Fault("sources", "", "there is no source file", "add one for each source system")
    brought: dict[str, str] = {}
    for system in systems:
        file = f"sources/{system.system}.yml"
        if system.city != city.key:
            yield Fault(file, "city", f"{system.city!r} is not the key of the city", f"write city: {city.key}")
        for name in system.dataset_names:
            if name not in contracts:
                yield Fault(file, f"datasets.{name}", "has no contract", f"add contracts/{name}.yml")
            if name in brought:
                yield Fault(file, f"datasets.{name}", f"is brought by {brought[name]} too", "let one system bring it")
            brought[name] = system.system
    # What a source file brings that cannot be read is not known.
    is_whole = len(systems) == len(city.files("sources"))
    for name in sorted(contracts - set(brought)) if is_whole else ():
        yield Fault(f"contracts/{name}.yml", "", "no source brings this data set", "name it in a source file")


def _of_feeds(
    city: City, feeds: list[Feed], contracts: dict[str, Contract], systems: list[SourceSystem], used: set[str]
) -> Iterator[Fault]:
    names = {system.system for system in systems}
    whole = {path.stem for path in city.files("sources")}
    for feed in feeds:
        # A list that the city keeps itself is of no source system.
        if feed.dataset is not None and feed.system not in names | whole:
            file = f"feeds/{feed.file.name}"
            yield Fault(file, "system", f"there is no source system {feed.system}", f"use one of {sorted(whole)}")
    # What a faulty file brings or says is not known: it is told by itself, and not by what hangs on it.
    landed = {name for system in systems for name in system.dataset_names}
    known = [feed for feed in feeds if feed.dataset is None or feed.dataset in contracts or not _is_file(city, feed)]
    if whole == names:
        yield from feed_faults(known, contracts, city.mappings, city.lists, landed, used)


def _is_file(city: City, feed: Feed) -> bool:
    return (city.folder / "contracts" / f"{feed.dataset}.yml").is_file()


def _of_mapping(path: Path) -> Iterator[Fault]:
    """What a mapping must say, so that neither dbt nor a join finds it first."""
    file = f"mappings/{path.name}"
    if not path.stem.startswith("map_"):
        yield Fault(file, "", "is not found by the feeds", "call it map_<system>__<what>.csv")
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
            columns = tuple(rows[0]) if rows else ()
    except (UnicodeDecodeError, csv.Error):
        yield Fault(file, "", "is not a CSV in UTF-8", "save it as UTF-8 with commas")
        return
    missing = [name for name in _MAPPING_COLUMNS if name not in columns]
    if missing:
        yield Fault(file, "columns", f"{', '.join(missing)} missing", f"begin with {','.join(_MAPPING_COLUMNS)}")
        return
    seen: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        code, method = row["source_code"], row["mapping_method"]
        if not code:
            yield Fault(file, f"line {line}", "has no source_code", "write the code of the source")
        elif code in seen:
            yield Fault(file, f"line {line}", f"{code!r} stands in line {seen[code]} too", "keep one of them")
        seen.setdefault(code, line)
        if method not in _METHODS:
            yield Fault(file, f"line {line}", f"{method!r} is no method", f"write one of {sorted(_METHODS)}")
        elif not row["code"] and method != "none":
            yield Fault(file, f"line {line}", "has no code of ours", "write it, or mapping_method none")


def _fault(error: GridLakeError, file: str) -> Fault:
    return Fault(file, "", error.problem, error.fix or "see the manual of the file")
