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


def make_city(folder: Path, key: str = "somewhere", zone: str = "Europe/Zurich") -> Path:
    folder.mkdir()
    (folder / "city.yml").write_text(f"key: {key}\ntitle: {{zh: 某市, en: Some City}}\ntime_zone: {zone}\n", "utf-8")
    return folder


def test_a_city_outside_the_project_brings_its_key_and_its_time_zone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRIDLAKE_CITY_FOLDER", str(make_city(tmp_path / "a folder of 某市")))
    settings = load_settings(home=tmp_path / "lake")
    assert (settings.city, settings.timezone) == ("somewhere", "Europe/Zurich")
    assert settings.city_path == tmp_path / "a folder of 某市"
    assert load_settings(timezone="Asia/Tokyo").timezone == "Asia/Tokyo"


def test_a_city_of_the_project_brings_its_time_zone() -> None:
    assert load_settings(city="washington_dc").timezone == "America/New_York"
    assert load_settings(city="demo").timezone == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("key", "set_key", "told"),
    [
        (None, None, r"GRIDLAKE_CITY_FOLDER: .*there is no city\.yml in it.*value: '.*nowhere'"),
        (
            "somewhere",
            "demo",
            r"GRIDLAKE_CITY_FOLDER: .*it is the folder of 'somewhere', and GRIDLAKE_CITY says 'demo'",
        ),
        ("Some Where", None, "GRIDLAKE_CITY: .*lower-case letters"),
    ],
)
def test_a_folder_that_is_not_the_citys_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str | None, set_key: str | None, told: str
) -> None:
    folder = make_city(tmp_path / "city", key) if key else tmp_path / "nowhere"
    monkeypatch.setenv("GRIDLAKE_CITY_FOLDER", str(folder))
    if set_key:
        monkeypatch.setenv("GRIDLAKE_CITY", set_key)
    with pytest.raises(SettingsError, match=told):
        load_settings()


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
