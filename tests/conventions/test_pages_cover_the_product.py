"""What the product has, the pages name: settings, commands, targets, sources, data sets, tables, indicators, codes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable

import click
import pytest
import typer
import yaml
from pydantic import BaseModel

from catalog import vocabulary
from catalog.city import shipped
from catalog.contract import load_contracts
from pipelines.command.app import app
from pipelines.sources import declared as source
from pipelines.sources import parts as source_parts
from pipelines.sources.declared import load_sources
from quality.place import points, shapes
from quality.suites.declared import KEY_MODELS
from tests.conventions.pages import ROOT, named, page
from warehouse.lake.layout import _OPS_TABLES
from warehouse.settings import PREFIX, Settings

READMES = ("README.md", "README.zh-CN.md")
CITIES = shipped()


def missing(name: str, wanted: Iterable[str]) -> list[str]:
    """What the page does not name as `code`."""
    return sorted(set(wanted) - named(page(name)))


def commands(group: click.Group, prefix: str = "gridlake") -> dict[str, click.Command]:
    """All commands by what a user types."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        typed = f"{prefix} {name}"
        found |= commands(command, typed) if hasattr(command, "commands") else {typed: command}
    return found


def all_commands() -> dict[str, click.Command]:
    return commands(typer.main.get_command(app))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", READMES)
def test_every_setting_stands_in_the_readme_with_its_default(name: str) -> None:
    rows = dict(re.findall(r"^\| `(GRIDLAKE_\w+)` \| (.*?) \|", page(name), re.MULTILINE))
    fields = {PREFIX + key.upper(): field for key, field in Settings.model_fields.items()}
    assert rows.keys() == fields.keys()
    wrong = [key for key, f in fields.items() if f.default not in (None, "") and rows[key] != f"`{f.default}`"]
    assert wrong == [], f"{name}: defaults differ from warehouse/settings.py"


@pytest.mark.parametrize("name", READMES)
def test_every_command_and_option_stands_in_the_readme(name: str) -> None:
    wanted = set(all_commands())
    for command in all_commands().values():
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        # Of a switch only the half that changes something has to be told.
        wanted |= {(o.secondary_opts or o.opts)[0] if o.default is True else o.opts[0] for o in options}
    assert missing(name, wanted) == []


@pytest.mark.parametrize("name", READMES)
def test_every_make_target_stands_in_the_readme(name: str) -> None:
    targets = re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert missing(name, {f"make {target}" for target in targets}) == []


@pytest.mark.parametrize("city", CITIES)
def test_every_source_system_stands_on_the_pipelines_page(city: str) -> None:
    systems = load_sources(city)
    wanted = {system.system for system in systems} | {name for s in systems for name in s.dataset_names} | {city}
    assert missing("pipelines/README.md", wanted) == []


def test_every_key_of_a_source_file_stands_on_the_pipelines_pages() -> None:
    models = [
        model
        for module in (source, source_parts)
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    ]
    assert len(models) > 9
    told = named(page("pipelines/README.md")) | named(page("pipelines/time-and-place.md"))
    assert sorted({key for model in models for key in model.model_fields} - told) == []


def test_every_landing_count_and_rule_stands_on_the_pipelines_page() -> None:
    counts = re.findall(r"(\w+(?:_count|_counts|_columns|cursor_from|cursor_to)|cursor_\w+) ", _OPS_TABLES["load"])
    rules = {"type:<field>", "required:<field>", "pattern:<field>", "length:<field>", "range:<field>"}
    rules |= {"future:<field>", "code_list:<field>", "rule:<name>", "unreadable"}
    rules |= {f"{rule}:<field>" for rule in (*shapes.REFUSALS, *points.REFUSALS, "invalid")}
    assert missing("pipelines/README.md", {*counts, *rules}) == []


@pytest.mark.parametrize("city", CITIES)
def test_every_data_set_stands_on_the_catalog_page_as_its_contract_says(city: str) -> None:
    text = page("catalog/README.md")
    rows = [
        f"| [`{c.name}`]({c.path.relative_to(ROOT / 'catalog').as_posix()}) | {c.title_zh} {c.title_en}: "
        f"{c.grain.removeprefix('one row is ')} | `{c.sharing_type}` | `{c.data_grade}` |"
        for c in load_contracts(city).values()
    ]
    assert rows
    assert [row for row in rows if row not in text] == []


@pytest.mark.parametrize("city", CITIES)
def test_every_data_set_stands_on_the_chinese_catalog_page_as_its_contract_says(city: str) -> None:
    text = page("catalog/README.zh-CN.md")
    rows = [
        f"{c.title_zh}：{c.grain_zh.removeprefix('每行为')} | `{c.sharing_type}` | `{c.data_grade}` |"
        for c in load_contracts(city).values()
    ]
    assert rows
    assert [row for row in rows if row not in text] == []


def test_the_contract_reference_names_every_property_and_every_term() -> None:
    terms = (
        vocabulary.SHARING_TYPES,
        vocabulary.DATA_GRADES,
        vocabulary.PERSONAL_DATA,
        vocabulary.RESTRICTIONS,
        vocabulary.DOMAINS,
        vocabulary.STATUSES,
        vocabulary.SEVERITIES,
        vocabulary.DIMENSIONS,
        vocabulary.SPAN_UNITS,
        vocabulary.UNITS,
    )
    wanted = {key for vocabulary_terms in terms for key in vocabulary_terms}
    wanted |= vocabulary.CONTRACT_PROPERTIES | vocabulary.FIELD_PROPERTIES | set(vocabulary.TYPE_OPTIONS)
    wanted |= set(vocabulary.PHYSICAL_TYPES)
    wanted |= {kind for kinds in vocabulary.PHYSICAL_TYPES.values() for kind in kinds if kind != "DECIMAL"}
    assert missing("catalog/README.md", wanted) == []


def test_every_table_that_is_asked_stands_on_the_dbt_page() -> None:
    layers = ("core", "indicator", "mart")
    models = {path.stem for layer in layers for path in (ROOT / "dbt/models" / layer).rglob("*.sql")}
    assert len(models) > 10
    assert missing("dbt/README.md", models) == []


def test_every_indicator_stands_on_the_dbt_page_with_its_name() -> None:
    definitions = ROOT / "dbt/seeds/standards/indicator_definition.csv"
    text = page("dbt/README.md")
    with definitions.open(encoding="utf-8", newline="") as handle:
        wanted = [f"| `{row['code']}` | {row['name_zh']} {row['name_en']} |" for row in csv.DictReader(handle)]
    assert [row for row in wanted if row not in text] == []
    told = len(re.findall(r"^\| `\w+` \| [^|]+ \| [^|]+ \| [^|]+ \| \w+ \|$", text, re.MULTILINE))
    assert told == len(wanted), "the page has an indicator that is no longer defined"
    for name in READMES:
        assert re.search(rf"\b{len(set(wanted))} (?:indicators|项指标)", page(name)), f"{name}: number of indicators"


def test_every_code_list_and_mapping_method_stands_on_the_dbt_page() -> None:
    lists = {path.stem for path in (ROOT / "dbt/seeds/standards").glob("*.csv")}
    assert missing("dbt/README.md", lists) == []
    methods: set[str] = set()
    for path in (ROOT / "catalog/cities").rglob("map_*.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            methods |= {row["mapping_method"] for row in csv.DictReader(handle)}
    assert missing("dbt/README.md", methods | {"unmapped"}) == []


def test_every_ops_table_stands_on_the_warehouse_page() -> None:
    assert missing("warehouse/README.md", {f"ops.{table}" for table in _OPS_TABLES}) == []


def test_every_check_stands_on_the_quality_page() -> None:
    from pipelines.assets import checks
    from pipelines.assets.raw import WHOLE

    columns = re.findall(r"(\w+) [A-Z]", _OPS_TABLES["quality_result"])
    wanted = {checks.BUILDABLE, checks.CONTRACT, checks.SUITE, WHOLE, *checks.HOLDING_RULES, *KEY_MODELS, *columns}
    assert missing("quality/README.md", wanted) == []


def test_sensors_schedules_and_jobs_stand_on_the_pipelines_page() -> None:
    from pipelines.jobs import jobs
    from pipelines.schedules import schedules
    from pipelines.sensors import sensors

    systems = load_sources("demo")
    names = {job.name for job in jobs(systems)} | {"upkeep"}
    names |= {s.name for s in schedules(systems, "Asia/Shanghai")} | {s.name for s in sensors(systems)}
    general = {re.sub(r"_(?:" + "|".join(s.system for s in systems) + ")", "_<system>", name) for name in names}
    told = {re.sub(r" \(.*", "", name) for name in named(page("pipelines/README.md"))}
    assert sorted(general - told) == []


def test_pre_commit_hooks_are_local() -> None:
    document = yaml.safe_load(page(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in document["repos"]] == ["local"]
