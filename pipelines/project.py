"""The dbt project of one lake: the models that all cities share, the city's own folder, and what is made from it.

It lies under the lake's home and consists of links and of made files. dbt writes what it compiles beside the paths of
its sources, so nothing of it may lie outside the project: a path that leads out of it, absolute or by `..`, would be
overwritten.

    dbt_project.yml, profiles.yml, models/, seeds/, macros/, tests/     links into this project
    city/                                                               link to the city's folder
    made/models/staging/    a staging model for each feed, with its tests
    made/models/sources.yml the raw tables of the city's contracts
    made/seeds/             data sets, source systems and what they record
    made/macros/            which staging models fill which kind
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from catalog.city import City
from catalog.contract import load_contract
from catalog.feeds.feed import Feed, load_feed
from catalog.feeds.staging import staging_sql
from catalog.generate import data_items_csv, data_sets_csv, differing, sources_yaml, write
from pipelines.sources.declared import SourceSystem
from pipelines.sources.names import source_records_csv, source_systems_csv
from warehouse.settings import PROJECT_ROOT

SHARED = PROJECT_ROOT / "dbt"
_LINKED = ("dbt_project.yml", "profiles.yml", "models", "seeds", "macros", "tests")


def assemble(folder: Path, city: City, systems: list[SourceSystem]) -> list[Path]:
    """Bring the project up to what the city's folder says; returns the files that were written.

    Raises:
        FeedError, ContractError: a file of the city is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in _LINKED:
        _link(folder / name, SHARED / name)
    _link(folder / "city", city.folder)
    wanted = made_files(city, systems, folder / "made")
    for old in sorted((folder / "made").rglob("*"), reverse=True):
        if old.is_file() and old not in wanted:
            old.unlink()
    return write(differing(wanted))


def made_files(city: City, systems: list[SourceSystem], folder: Path) -> dict[Path, str]:
    """The files that are made from a city's folder, with their texts."""
    contracts = [load_contract(path) for path in city.files("contracts")]
    own = {path.stem for path in city.files("models", "**/*.sql")}
    feeds = [feed for feed in map(load_feed, city.files("feeds")) if feed.model not in own]
    files = {
        folder / "models" / "sources.yml": sources_yaml(contracts),
        folder / "models" / "staging" / "_staging__models.yml": _tests_of(feeds),
        folder / "seeds" / "data_set.csv": data_sets_csv(contracts),
        folder / "seeds" / "data_item.csv": data_items_csv(contracts),
        folder / "seeds" / "source_system.csv": source_systems_csv(systems),
        folder / "seeds" / "source_record.csv": source_records_csv(systems),
        folder / "macros" / "city_feeds.sql": _feeds_by_kind(city, feeds, own),
    }
    return files | {folder / "models" / "staging" / f"{feed.model}.sql": staging_sql(feed) for feed in feeds}


def _feeds_by_kind(city: City, feeds: list[Feed], own: set[str]) -> str:
    """A macro that gives, by kind, the staging models that fill it, and the mappings of classes."""
    found: dict[str, list[str]] = {}
    for name, kind in [*((feed.model, feed.kind_name) for feed in feeds), *_kinds_of(own)]:
        found.setdefault(kind, []).append(name)
    found["class_map"] = [f"map_{name}" for name in sorted(city.mappings) if name.endswith("__class")]
    return f"{{% macro city_feeds() %}}{{{{ return({json.dumps(found)}) }}}}{{% endmacro %}}\n"


def _kinds_of(models: set[str]) -> list[tuple[str, str]]:
    """Hand-written staging models by their names: `stg_<system>__<kind>[_<what>]`."""
    return [(name, name.partition("__")[2].split("_")[0]) for name in sorted(models) if name.startswith("stg_")]


def _tests_of(feeds: list[Feed]) -> str:
    """The models' yml: what their columns mean, and the tests that hold for every feed of their kind."""
    document = {"version": 2, "models": [_described(feed) for feed in feeds]}
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120))


def _described(feed: Feed) -> Mapping[str, Any]:
    kind = feed.kind
    filled = feed.fills
    required = {*kind.required, *(name for name in kind.required_if_named if name in filled)}
    columns = []
    for name, column in kind.columns.items():
        tests: list[Any] = ["not_null"] if name in required else []
        values = kind.values.get(name)
        if isinstance(values, str):
            tests.append({"relationships": {"arguments": {"to": f"ref('{values}')", "field": "code"}}})
        elif values:
            tests.append({"accepted_values": {"arguments": {"values": list(values)}}})
        columns.append(
            {"name": name, "description": f"{column.zh} / {column.en}"} | ({"data_tests": tests} if tests else {})
        )
    columns.append({"name": "_load_seq", "data_tests": ["not_null"]})
    title = f"{kind.title['zh']} / {kind.title['en']}"
    return {
        "name": feed.model,
        "description": f"{title}: {feed.dataset or 'the list of the city'}.",
        "columns": columns,
    }


def _link(place: Path, target: Path) -> None:
    """A link that leads there, whatever stood in its place."""
    if place.is_symlink():
        if place.readlink() == target:
            return
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
    place.symlink_to(target)
