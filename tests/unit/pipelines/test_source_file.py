"""Source files: what is refused, and that a message names the place and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from catalog.city import CityError
from pipelines.sources.declared import SourceError, SourceSystem, expand, load_source, load_sources, secrets_of, without
from warehouse.settings import load_settings

SOUND = {
    "city": "demo",
    "system": "office",
    "title_zh": "办公室",
    "title_en": "Office",
    "owner": "office",
    "kind": "rest",
    "rest": {"base_url": "https://h", "token": "s3cret"},
    "datasets": [{"dataset": "orders", "path": "/x"}],
}


# Too few fields and too many, beyond the limits, spans backwards, steps of nothing, words, blanks instead of fields.
WRONG_TIMES = (
    *("0 6 * *", "0 6 * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "-1 * * * *"),
    *("30-10 * * * *", "*/0 * * * *", "0 6 * * MON", "@daily", "1,,2 * * * *", "", "     ", "１ * * * *x"),
)
RIGHT_TIMES = ("*/30 * * * *", "15 6 * * *", "0 6,18 1-15/2 * 1-5", "59 23 31 12 7", "0-59/5 * * * 0")


def write(folder: Path, document: object, name: str = "demo/office.yml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = document if isinstance(document, str) else yaml.safe_dump(document, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return path


def changed(**values: object) -> dict[str, object]:
    return SOUND | values


@pytest.mark.parametrize(
    ("document", "place"),
    [
        (changed(kind="ftp"), "kind"),
        (changed(kind="files"), "kind is files but there is no block `files`"),
        (changed(datasets=[]), "datasets"),
        (changed(datasets=[{"dataset": "Orders", "path": "/x"}]), r"datasets\.0\.dataset"),
        (changed(datasets=[{"dataset": "orders"}]), "`path` is missing"),
        (changed(datasets=[{"dataset": "orders", "path": "/x"}] * 2), "only once"),
        (changed(datasets=[{"dataset": "orders", "path": "/x", "encoding": ["gb99"]}]), "gb99"),
        (changed(datasets=[{"dataset": "orders", "path": "/x", "delimiter": "||"}]), "delimiter"),
        (changed(datasets=[{"dataset": "orders", "path": "/x", "paht": "/y"}]), r"datasets\.0\.paht"),
        (
            changed(datasets=[{"dataset": "orders", "path": "/x", "fixes": [{"field": "a", "value": "1"}]}]),
            r"fixes\.0\.reason",
        ),
        (
            changed(
                kind="database",
                database={"engine": "sqlite", "url": "x"},
                datasets=[{"dataset": "orders", "table": "a; DROP TABLE b"}],
            ),
            "table or schema.table",
        ),
        (changed(rest={"base_url": "https://h", "timeout_seconds": 0}), r"rest\.timeout_seconds.*value: 0"),
        (changed(rest={"base_url": "https://h", "tokn": "s3cret"}), r"rest\.tokn"),
        (changed(rest={"token": "s3cret"}), r"rest\.base_url"),
        (changed(rest={"base_url": "https://h", "token": {"value": "s3cret"}}), r"rest\.token"),
        (changed(rest="s3cret"), "rest"),
        ("rest: {token: s3cret\nx: [", "not readable YAML in line 2"),
        ("- s3cret", "file"),
        *((changed(schedule=wrong), "schedule") for wrong in WRONG_TIMES),
    ],
)
def test_a_wrong_source_file_is_refused_with_its_place(tmp_path: Path, document: object, place: str) -> None:
    path = write(tmp_path, document)
    with pytest.raises(SourceError, match=place) as caught:
        load_source(path)
    assert str(path) in str(caught.value)
    assert "Fix: " in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("schedule", RIGHT_TIMES)
def test_times_that_cron_knows_are_taken(tmp_path: Path, schedule: str) -> None:
    assert load_source(write(tmp_path, changed(schedule=schedule))).schedule == schedule


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "office.yml"
    with pytest.raises(SourceError, match=r"office\.yml: cannot be read: No such file"):
        load_source(path)
    path.write_bytes("city: 市".encode("gb18030"))
    with pytest.raises(SourceError, match=r"office\.yml: is not UTF-8"):
        load_source(path)


def test_folder_and_file_name_must_agree(tmp_path: Path) -> None:
    (tmp_path / "city.yml").write_text("key: demo\ntitle: {zh: 某市, en: Some City}\n", encoding="utf-8")
    with pytest.raises(SourceError, match="sources: the city has no sources"):
        load_sources(tmp_path)
    write(tmp_path, SOUND, "sources/office.yml")
    assert [found.system for found in load_sources(tmp_path)] == ["office"]
    write(tmp_path, SOUND, "sources/other.yml")
    with pytest.raises(SourceError, match=r"other\.yml: city and system must be the city's key and the file's name"):
        load_sources(tmp_path)
    with pytest.raises(CityError, match=r"GRIDLAKE_CITY: there is no such city \(value: 'nowhere'\).*\['demo', "):
        load_sources("nowhere")


def test_the_projects_own_sources_load() -> None:
    for city in ("demo", "washington_dc"):
        assert all(isinstance(found, SourceSystem) for found in load_sources(city))


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, data=tmp_path / "drops")
    monkeypatch.setenv("GRIDLAKE_SOURCE_HOST", "h")
    text = "https://${GRIDLAKE_SOURCE_HOST}:${GRIDLAKE_SOURCE_PORT:-80}/${GRIDLAKE_SOURCE_EMPTY:-}"
    assert expand(text, settings, where="office") == "https://h:80/"
    assert expand("${GRIDLAKE_DATA}/x", settings, where="office") == f"{tmp_path}/drops/x"
    assert expand("$HOME ${lower} {x}", settings, where="office") == "$HOME ${lower} {x}"
    with pytest.raises(SourceError, match=r"office: a variable.*'GRIDLAKE_SOURCE_TOKEN'.*set GRIDLAKE_SOURCE_TOKEN"):
        expand("Bearer s3cret ${GRIDLAKE_SOURCE_TOKEN}", settings, where="office")


def test_a_value_of_the_environment_is_not_expanded_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRIDLAKE_SOURCE_A", "${GRIDLAKE_SOURCE_B}")
    assert expand("${GRIDLAKE_SOURCE_A}", load_settings(home=tmp_path), where="x") == "${GRIDLAKE_SOURCE_B}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p%40ss@h/db",
        "postgresql://h/db?user=me&password=p%40ss",
        "host=h user=me password=p%40ss",
        "host=h password='p%40ss' user=me",
    ],
)
def test_passwords_of_an_address_are_blotted_out_in_every_form(url: str) -> None:
    message = f"cannot reach {url} with p@ss"
    shown = without(secrets_of(url), message)
    assert "p%40ss" not in shown
    assert "p@ss" not in shown
    assert secrets_of("postgresql://h/db") == []
