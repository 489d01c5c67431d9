"""The dbt project of one lake: the models that all cities share, the city's own folder, and what is made from it.

It lies under the lake's home and consists of links and of made files. dbt writes what it compiles beside the paths of
its sources, so nothing of it may lie outside the project: a path that leads out of it, absolute or by `..`, would be
overwritten.

    dbt_project.yml, profiles.yml, models/, seeds/, macros/, tests/     links into this project
    city/                                                               link to the city's folder
    made/models/staging/    a staging model for each feed, with its tests
    made/models/sources.yml the raw tables of the city's contracts
    made/seeds/             data sets, source systems and what they record, and the tests of the city's own seeds
    made/macros/            which staging models fill which kind
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from catalog.city import City, load_city
from catalog.contract import load_contracts
from catalog.feeds.feed import Feed, load_feeds
from catalog.feeds.kinds import kinds
from catalog.feeds.staging import staging_sql
from catalog.generate import data_items_csv, data_sets_csv, sources_yaml
from pipelines.sources.declared import load_sources
from pipelines.sources.names import source_records_csv, source_systems_csv
from warehouse.durable import make_folder
from warehouse.settings import PROJECT_ROOT, Settings

SHARED = PROJECT_ROOT / "dbt"
_LINKED = ("dbt_project.yml", "profiles.yml", "models", "seeds", "macros", "tests")
_INPUTS = ("*.sql", "*.yml", "*.csv")
# Of the city's folder dbt reads these; the rest of it reaches dbt by what is made.
_OF_THE_CITY = ("models", "macros", "mappings", "lists")


def project_path(settings: Settings) -> Path:
    """Where the lake's dbt project lies."""
    return settings.home_path / "dbt" / "project"


def assemble(settings: Settings) -> Path:
    """Bring the project up to what the city's folder says; returns where it lies.

    Files that say already what they should are left alone, so dbt reads again only what has changed.

    Raises:
        CityError, ContractError, SourceError, FeedError: a file of the city is wrong.
    """
    folder = make_folder(project_path(settings))
    for name in _LINKED:
        _link(folder / name, SHARED / name)
    _link(folder / "city", settings.city_path)
    wanted = made_files(settings)
    made = folder / "made"
    for old in made.rglob("*"):
        if old.is_file() and old.relative_to(made).as_posix() not in wanted:
            old.unlink(missing_ok=True)
    for name, text in wanted.items():
        place = made / name
        if not place.exists() or place.read_text(encoding="utf-8") != text:
            make_folder(place.parent)
            _put(place, text, folder)
    return folder


def made_files(settings: Settings) -> dict[str, str]:
    """The files that are made from the city's folder, by their place below `made`, with their texts."""
    city = load_city(settings.city_path)
    contracts, systems = load_contracts(city.folder).values(), load_sources(city.folder)
    own = {path.stem for path in city.files("models", "**/*.sql")}
    feeds = [feed for feed in load_feeds(city.folder) if feed.model not in own]
    files = {
        "models/sources.yml": sources_yaml(contracts),
        "models/staging/_staging__models.yml": _tests_of(feeds),
        "seeds/data_set.csv": data_sets_csv(contracts),
        "seeds/data_item.csv": data_items_csv(contracts),
        "seeds/source_system.csv": source_systems_csv(systems),
        "seeds/source_record.csv": source_records_csv(systems),
        "seeds/_city__seeds.yml": _seeds_of(city),
        "macros/kind_columns.sql": _columns_of_kinds(),
        "macros/city_feeds.sql": _feeds_by_kind(city, feeds, own),
    }
    return files | {f"models/staging/{feed.model}.sql": staging_sql(feed) for feed in feeds}


def models_hash(settings: Settings) -> str:
    """A hash over all that shapes the built tables: models, macros, seeds and their settings, shared and the city's."""
    return _hash_of({**_shared_texts(_INPUTS), **_own_texts(settings), **made_files(settings)})


def told_hash(settings: Settings) -> str:
    """A hash over all that can change any model's compiled SQL besides its own text: macros and variables."""
    made = {name: text for name, text in made_files(settings).items() if name.startswith("macros/")}
    own = {name: text for name, text in _own_texts(settings).items() if name.startswith("city/macros/")}
    return _hash_of({**_shared_texts(("dbt_project.yml", "macros/**/*.sql")), **own, **made})


def _shared_texts(patterns: Iterable[str]) -> dict[str, bytes]:
    paths = {path for pattern in patterns for path in SHARED.rglob(pattern)}
    kept = (path for path in paths if path.relative_to(SHARED).parts[0] in _LINKED)
    return {path.relative_to(SHARED).as_posix(): path.read_bytes() for path in kept}


def _own_texts(settings: Settings) -> dict[str, bytes]:
    # The folder itself and not the link to it: rglob does not follow links.
    root = settings.city_path
    paths = (path for part in _OF_THE_CITY for pattern in _INPUTS for path in (root / part).rglob(pattern))
    return {f"city/{path.relative_to(root).as_posix()}": path.read_bytes() for path in paths}


def _hash_of(texts: Mapping[str, str | bytes]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(texts.items()):
        digest.update(name.encode() + b"\0" + (text if isinstance(text, bytes) else text.encode()) + b"\0")
    return digest.hexdigest()


def _columns_of_kinds() -> str:
    """A macro that gives, by kind, the names and types of its columns, in their order."""
    found = {kind.name: [[name, column.type] for name, column in kind.columns.items()] for kind in kinds().values()}
    return _macro("kind_columns", found)


def _macro(name: str, value: object) -> str:
    return f"{{% macro {name}() %}}{{{{ return({json.dumps(value)}) }}}}{{% endmacro %}}\n"


def _feeds_by_kind(city: City, feeds: list[Feed], own: set[str]) -> str:
    """A macro that gives, by kind, the staging models that fill it, and the mappings of classes."""
    found: dict[str, list[str]] = {}
    for name, kind in [*((feed.model, feed.kind_name) for feed in feeds), *_kinds_of(own)]:
        found.setdefault(kind, []).append(name)
    found["class_map"] = [f"map_{name}" for name in sorted(city.mappings) if name.endswith("__class")]
    return _macro("city_feeds", found)


def _kinds_of(models: set[str]) -> list[tuple[str, str]]:
    """Hand-written staging models by their names: `stg_<system>__<kind>[_<what>]`."""
    return [(name, name.partition("__")[2].split("_")[0]) for name in sorted(models) if name.startswith("stg_")]


def _seeds_of(city: City) -> str:
    """The tests of the city's own seeds: a source's code stands once in a mapping, a key once in a list."""
    keys = {f"map_{name}": "source_code" for name in city.mappings}
    keys |= {name: columns[0] for name, columns in city.lists.items() if columns}
    document = {
        "version": 2,
        "seeds": [
            {"name": name, "columns": [{"name": key, "data_tests": ["not_null", "unique"]}]}
            for name, key in sorted(keys.items())
        ],
    }
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120))


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


def _put(place: Path, text: str, aside: Path) -> None:
    """Write a file whole or not at all: another process may be reading it, or writing the same."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=aside, prefix=".", delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(place)


def _link(place: Path, target: Path) -> None:
    """A link that leads there, whatever link stood in its place."""
    if place.is_symlink() and place.readlink() == target:
        return
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".") as aside:
        draft = Path(aside) / place.name
        draft.symlink_to(target)
        draft.rename(place)
