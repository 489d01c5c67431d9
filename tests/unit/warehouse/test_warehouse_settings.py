"""Settings are refused by name, and secrets stay out of messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse.errors import LakeError, SettingsError
from warehouse.lake.session import open_lake
from warehouse.settings import load_settings


def test_unknown_setting_is_refused_with_the_near_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_HOEM", "/somewhere")
    with pytest.raises(SettingsError, match=r"GRIDLAKE_HOEM.*did you mean GRIDLAKE_HOME"):
        load_settings()


def test_settings_of_sources_and_tests_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_DEMO_HOTLINE_URL", "http://localhost")
    assert load_settings().city == "demo"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CITY", "New York"),
        ("MEMORY", "much"),
        ("THREADS", "-1"),
        ("THREADS", "many"),
        ("CATALOG", "mysql://localhost/x"),
    ],
)
def test_bad_value_is_refused_with_the_name_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GRIDLAKE_{name}", value)
    with pytest.raises(SettingsError, match=f"GRIDLAKE_{name}"):
        load_settings()


def test_keyword_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY", "washington_dc")
    assert load_settings(city="demo").city == "demo"


def test_refused_catalogue_url_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLAKE_CATALOG", "mysql://user:hunter2@localhost/x")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_unreachable_catalogue_does_not_show_its_password(tmp_path: Path) -> None:
    url = "postgresql://user:hunter%402@127.0.0.1:1/x?password=swordfish"
    with (
        pytest.raises(LakeError, match="cannot be reached") as caught,
        open_lake(load_settings(home=tmp_path, catalog=url)),
    ):
        pass
    assert "hunter" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
