"""A city's folder is checked as a whole, and a run refuses what the check refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog.city import CityError
from pipelines.command.run import run_city
from pipelines.sources.check import CityFaults, check_city, require_sound
from warehouse.settings import CITIES, Settings


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """A copy of the made-up city, as a city's own repository would hold it."""
    return Path(shutil.copytree(CITIES / "demo", tmp_path / "某市 repository"))


def faults(city: Path) -> list[str]:
    return [str(fault) for fault in check_city(city).faults]


def edit(city: Path, file: str, old: str, new: str) -> None:
    path = city / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize("name", ["demo", "washington_dc"])
def test_the_cities_of_the_project_are_sound(name: str) -> None:
    assert faults(CITIES / name) == []


def test_faults_of_all_parts_are_told_at_once(city: Path) -> None:
    edit(city, "sources/patrol_yunhe.yml", "city: demo", "city: elsewhere")
    edit(city, "contracts/unit_grid.yml", "kind: DataContract", "kind: Contract")
    edit(city, "feeds/hotline_12345__case.yml", "id: order_no", "id: order_nr")
    edit(city, "mappings/map_patrol_yunhe__status.csv", ",exact", ",exactly")
    told = {(fault.file, fault.place.split()[0] if fault.place else "") for fault in check_city(city).faults}
    assert told == {
        ("sources/patrol_yunhe.yml", "city"),
        ("contracts/unit_grid.yml", "kind"),
        ("feeds/hotline_12345__case.yml", "id"),
        ("mappings/map_patrol_yunhe__status.csv", "line"),
    }


def test_every_fault_of_one_source_file_is_told(city: Path) -> None:
    edit(city, "sources/patrol_yunhe.yml", "owner: ", "onwer: ")
    edit(city, "sources/patrol_yunhe.yml", "title_en: ", "title: ")
    told = faults(city)
    assert "sources/patrol_yunhe.yml: title: is no key that is known here. Fix: use title_zh" in told
    assert "sources/patrol_yunhe.yml: onwer: is no key that is known here. Fix: use owner" in told
    assert "sources/patrol_yunhe.yml: owner: is missing. Fix: add `owner: …`" in told


def test_what_a_wrong_file_brings_is_not_told_as_missing(city: Path) -> None:
    edit(city, "sources/patrol_yunhe.yml", "kind: ", "kinds: ")
    assert {fault.file for fault in check_city(city).faults} == {"sources/patrol_yunhe.yml"}


def test_what_a_feed_uses_that_cannot_be_read_or_is_a_model_by_hand_is_not_told_as_unused(city: Path) -> None:
    feed = city / "feeds" / "patrol_yunhe__case.yml"
    feed.write_text(feed.read_text(encoding="utf-8") + "from: again\n", encoding="utf-8")
    assert {fault.file for fault in check_city(city).faults} == {"feeds/patrol_yunhe__case.yml"}
    own = city / "models" / "staging" / "stg_patrol_yunhe__case.sql"
    own.parent.mkdir(parents=True)
    used = [path.stem for path in (city / "mappings").glob("map_patrol_yunhe__*.csv")]
    own.write_text("".join(f"-- {name}\n" for name in used), encoding="utf-8")
    feed.unlink()
    assert faults(city) == []
    own.write_text("select 1", encoding="utf-8")
    assert len(faults(city)) == len(used) == 4


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("sources/patrol_yunhe.yml", "dataset: patrol_case_yunhe", "dataset: patrol_cases", "has no contract"),
        ("sources/patrol_yunhe.yml", "dataset: patrol_case_yunhe", "dataset: unit_grid", "is brought by"),
        (
            "sources/patrol_yunhe.yml",
            "dataset: patrol_case_yunhe",
            "dataset: unit_grid",
            "no source brings this data set",
        ),
        ("mappings/map_patrol_yunhe__status.csv", "source_code,", "code_of_source,", "source_code missing"),
    ],
)
def test_what_does_not_fit_together_is_told(city: Path, file: str, old: str, new: str, told: str) -> None:
    edit(city, file, old, new)
    assert any(told in fault for fault in faults(city)), faults(city)


def test_a_mapping_is_read_before_a_join_finds_its_faults(city: Path) -> None:
    mapping = city / "mappings" / "map_patrol_yunhe__status.csv"
    header, first, *rest = mapping.read_text(encoding="utf-8").splitlines()
    mapping.write_text("\n".join([header, first, first, *rest]) + "\n", encoding="utf-8")
    code = first.split(",")[0]
    assert faults(city) == [
        f"mappings/map_patrol_yunhe__status.csv: line 3: {code!r} stands in line 2 too. Fix: keep one of them"
    ]
    mapping.write_bytes("source_code,code,mapping_method\n市,,none\n".encode("gb18030"))
    assert "is not a CSV in UTF-8" in faults(city)[0]


def test_a_run_refuses_what_the_check_refuses_and_lands_nothing(city: Path, sqlite_settings: Settings) -> None:
    edit(city, "feeds/hotline_12345__case.yml", "id: order_no", "id: order_nr")
    settings = sqlite_settings.model_copy(update={"city_folder": city})
    with pytest.raises(CityFaults, match=r"1 faults.*\n.*feeds/hotline_12345__case\.yml: id: .*Fix: use order_no"):
        run_city(settings)
    with pytest.raises(CityFaults):
        require_sound(city)
    assert not (settings.home_path / "data").exists()


def test_a_folder_that_is_no_city_is_told(tmp_path: Path) -> None:
    with pytest.raises(CityError, match="there is no such city"):
        check_city(tmp_path)
    (tmp_path / "city.yml").write_text("key: Some City\ntitle: {zh: 某市, en: City}\n", encoding="utf-8")
    with pytest.raises(CityError, match=r"city\.yml.*key: has another form than it should"):
        check_city(tmp_path)
