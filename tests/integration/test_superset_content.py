"""Dashboards as code arrive in Superset whole or not at all, keep their numbers, and go when their files go."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from catalog.serve.superset.access import compile_access
from catalog.serve.superset.definition import load_dashboards
from pipelines.services import superset
from warehouse.settings import Settings, load_settings

KINDS = ("dashboards", "slices", "tables", "row_level_security_filters", "ab_role")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake without data whose Superset has everything of the files, and a dashboard that somebody made."""
    told = load_settings(home=tmp_path_factory.mktemp("content") / "home")
    superset.prepare_database(told)
    superset.prepare_content(told)
    with closing(own_tables(told)) as tables, tables:
        tables.execute(
            "INSERT INTO dashboards (dashboard_title, slug, uuid, is_managed_externally, created_on, changed_on)"
            " VALUES ('Mine', 'mine', ?, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
            (bytes(range(16)),),
        )
    return told


def leave_out_permits(patch: pytest.MonkeyPatch) -> None:
    """The project as it would be without the file of the dashboard on permits."""
    kept = tuple(dashboard for dashboard in load_dashboards() if dashboard.slug != "permits")
    patch.setattr(superset, "load_dashboards", lambda: kept)


def own_tables(settings: Settings) -> sqlite3.Connection:
    return sqlite3.connect(Path(superset.options(settings).home) / "superset.db")


def numbers(settings: Settings) -> dict[str, dict[Any, int]]:
    """Of each kind of thing: uuid or name -> number within Superset."""
    with closing(own_tables(settings)) as tables:
        return {
            kind: dict(tables.execute(f"SELECT {'uuid' if kind in KINDS[:3] else 'name'}, id FROM {kind}").fetchall())
            for kind in KINDS
        }


def slugs(settings: Settings) -> set[str]:
    with closing(own_tables(settings)) as tables:
        return {slug for (slug,) in tables.execute("SELECT slug FROM dashboards")}


def everything() -> set[str]:
    return {slug + suffix for slug in (d.slug for d in load_dashboards()) for suffix in ("", "-en")} | {"mine"}


def test_brought_in_again_everything_keeps_its_number(settings: Settings) -> None:
    before = numbers(settings)
    assert slugs(settings) == everything()
    (superset.options(settings).home / "content.done").unlink()
    assert superset.prepare_content(settings)
    assert numbers(settings) == before


def test_what_fails_halfway_changes_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_mistake(*arguments: Any) -> dict[str, Any]:
        access = compile_access(*arguments)
        access["rows"][-1]["datasets"].append("zh.mart_nobody_knows")
        return access

    before = numbers(settings)
    leave_out_permits(monkeypatch)
    monkeypatch.setattr(superset, "compile_access", with_a_mistake)
    with pytest.raises(superset.SupersetError, match="mart_nobody_knows"):
        superset.prepare_content(settings)
    assert numbers(settings) == before


def test_a_dashboard_goes_with_its_file_and_comes_back_as_the_same(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = numbers(settings)
    with monkeypatch.context() as patch:
        leave_out_permits(patch)
        assert superset.prepare_content(settings)
    assert slugs(settings) == everything() - {"permits", "permits-en"}
    after = numbers(settings)
    assert after["dashboards"].items() < before["dashboards"].items()
    assert after["slices"].items() < before["slices"].items(), "its charts have gone, all others stayed"
    assert superset.prepare_content(settings)
    assert slugs(settings) == everything()
    assert {kind: set(found) for kind, found in numbers(settings).items()} == {
        kind: set(found) for kind, found in before.items()
    }
