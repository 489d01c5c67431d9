"""The models that feeds become, run over rows: what each way of telling a column gives."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest

from catalog.feeds.feed import FeedError, load_feed
from catalog.feeds.staging import staging_sql

_LANDED = "'d1' AS _delivery_id, 7 AS _load_seq, 0 AS _delivery_no, 1 AS _source_row, false AS _is_deleted"
_MAP = "CREATE TABLE {name} AS SELECT * FROM (VALUES {rows}) AS t (source_code, code, mapping_method, edition, kind)"


def rows(
    folder: Path, name: str, text: str, given: str, mappings: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """The rows that the model of a feed makes of `given`, a SELECT over rows of its data set."""
    file = folder / f"{name}.yml"
    file.write_text(text, encoding="utf-8")
    places = {"x": "st_x({0})", "y": "st_y({0})", "point": "st_point({0}, {1})"}
    sql = jinja2.Template(staging_sql(load_feed(file))).render(
        source=lambda _, name: name,
        ref=lambda name: name,
        geo=lambda form, arguments: places[form].format(*arguments),
        column_type=lambda name: {"geometry": "varchar"}[name],
        geometry_key=lambda shape, is_rounded=False: f"md5({shape})",
    )
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE things AS SELECT *, {_LANDED} FROM ({given})")
        for mapping, told in (mappings or {}).items():
            connection.execute(_MAP.format(name=mapping, rows=told))
        found = connection.execute(sql)
        names = [column[0] for column in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_a_column_a_constant_and_a_text_fill_columns_and_the_rest_is_empty(tmp_path: Path) -> None:
    text = """\
from: things
id: no
version: [changed, made]
class: {is: "0305", edition: "2013", kind: component, method: exact}
channel: {is: public}
status: {is: filed}
position: [east, north]
same: [reported_at]
columns:
  source_district_code: {text: "D{no:1-2}/{word:lower}"}
  is_public_report: true
  rework_count: {is: 3}
"""
    given = (
        "SELECT '123' AS no, CAST(NULL AS TIMESTAMP) AS changed, TIMESTAMP '2026-01-02 03:04:05' AS made, 'UP' AS word,"
        " TIMESTAMP '2026-01-01 00:00:00' AS reported_at, 120.5 AS east, 30.25 AS north"
    )
    (row,) = rows(tmp_path, "office__case", text, given)
    told = {name: value for name, value in row.items() if value is not None and not name.startswith("_")}
    assert told == {
        "source_system": "office",
        "source_case_id": "123",
        "layer": "",
        "version_at": datetime(2026, 1, 2, 3, 4, 5),
        "class_code": "0305",
        "class_edition": "2013",
        "class_kind": "component",
        "class_mapping_method": "exact",
        "channel_code": "public",
        "status_code": "filed",
        "urgency_code": "normal",
        "source_district_code": "D12/up",
        "lon": 120.5,
        "lat": 30.25,
        "reported_at": datetime(2026, 1, 1),
        "is_public_report": True,
        "is_supervised": False,
        "is_cancelled": False,
        "rework_count": 3,
    }
    assert (row["_delivery_id"], row["_load_seq"], row["_is_deleted"]) == ("d1", 7, False)


_CODED = """\
from: things
id: no
class: {{source: word, name: word}}
channel: {{is: public}}
status: {status}
columns: {{is_public_report: true}}
"""
_STATUS = (
    "('10', 'filed', 'exact', NULL, NULL), ('99', 'cancelled', 'broader', NULL, NULL), ('x', NULL, 'none', NULL, NULL)"
)
_CLASS = "('lamp', '0401', 'narrower', '2013', 'component')"


def coded(
    folder: Path, status: str, given: str = "VALUES ('10'), ('99'), ('x'), ('new'), (NULL)"
) -> list[tuple[Any, ...]]:
    found = rows(
        folder,
        "office__case",
        _CODED.format(status=status),
        f"SELECT row_number() OVER () AS no, 'lamp' AS word, s AS state FROM ({given}) AS t (s)",
        {"map_office__status": _STATUS, "map_office__class": _CLASS},
    )
    told = ("source_status_code", "status_code", "status_mapping_method", "is_cancelled")
    return sorted((tuple(row[name] for name in told) for row in found), key=str)


def test_a_code_goes_through_its_mapping_and_what_nobody_mapped_says_so(tmp_path: Path) -> None:
    assert coded(tmp_path, "state") == [
        ("10", "filed", "exact", False),
        ("99", "cancelled", "broader", True),
        ("new", "unmapped", "unmapped", False),
        ("x", "unmapped", "none", False),
        (None, "unmapped", "unmapped", False),
    ]


def test_what_a_code_becomes_that_is_none_or_empty_or_not_mapped_can_be_said(tmp_path: Path) -> None:
    assert coded(tmp_path, "{source: state, none: leave_out, empty: reported}") == [
        ("10", "filed", "exact", False),
        ("99", "cancelled", "broader", True),
        ("new", "unmapped", "unmapped", False),
        (None, "reported", "unmapped", False),
    ]
    assert [row[1] for row in coded(tmp_path, "{source: state, else: closed, none: empty}")] == [
        "filed",
        "cancelled",
        "closed",
        None,
        "closed",
    ]
    assert coded(tmp_path, "{source: state, codes: {10: handled, 99: closed}}", "VALUES ('10'), ('99'), ('7')") == [
        ("10", "handled", "exact", False),
        ("7", "unmapped", "exact", False),
        ("99", "closed", "exact", False),
    ]


def test_a_class_brings_its_edition_its_kind_and_the_name_that_the_source_gives_it(tmp_path: Path) -> None:
    (row,) = rows(
        tmp_path,
        "office__case",
        _CODED.format(status="{is: filed}"),
        "SELECT 1 AS no, 'lamp' AS word",
        {"map_office__class": _CLASS},
    )
    told = (
        "class_code",
        "class_edition",
        "class_kind",
        "class_mapping_method",
        "source_class_code",
        "source_class_name",
    )
    assert tuple(row[name] for name in told) == ("0401", "2013", "component", "narrower", "lamp", "lamp")


def test_what_is_looked_up_may_be_another_value_and_another_mapping(tmp_path: Path) -> None:
    text = """\
from: things
id: no
permit_type: {is: stall}
decision: {source: state, map: shared__decision, key: {text: "{part}:{state}"}}
"""
    found = rows(
        tmp_path,
        "office__permit",
        text,
        "SELECT * FROM (VALUES (1, 'a', '1'), (2, 'b', '1')) AS t (no, part, state)",
        {"map_shared__decision": "('a:1', 'granted', 'exact', NULL, NULL), ('b:1', 'refused', 'exact', NULL, NULL)"},
    )
    assert {row["permit_id"]: (row["decision_code"], row["source_decision_code"]) for row in found} == {
        "1": ("granted", "1"),
        "2": ("refused", "1"),
    }


def test_one_column_decides_over_others_and_what_it_does_not_name_is_left_out(tmp_path: Path) -> None:
    text = """\
from: things
id: code
columns: {parent_area_id: above}
by: part
only:
  outer: {area_level: {is: district}, valid_from: {is: "2012-01-01"}}
  inner: {area_level: {is: grid}, area_name_zh: {text: "第{code}格"}}
"""
    given = (
        "SELECT * FROM (VALUES ('1', 'outer', '1'), ('2', 'inner', '1'), ('3', 'other', NULL)) AS t (code, part, above)"
    )
    found = {row["area_id"]: row for row in rows(tmp_path, "office__area", text, given)}
    told = ("area_level", "area_name_zh", "valid_from", "parent_area_id")
    assert {key: tuple(row[name] for name in told) for key, row in found.items()} == {
        "1": ("district", None, date(2012, 1, 1), None),  # it names itself as the area above it
        "2": ("grid", "第2格", None, "1"),
    }


def test_a_thing_without_a_number_is_known_by_what_it_says_and_keeps_its_first_day(tmp_path: Path) -> None:
    text = """\
from: things
id: {hash: [street, word]}
class: {is: "0101"}
columns: {surveyed_date: {first_seen: seen}, component_name: {by: word, cases: {a: street, b: {is: other}}}}
"""
    given = (
        "SELECT * FROM (VALUES ('s', 'a', DATE '2026-01-03'), ('s', 'a', DATE '2026-01-02'),"
        " ('s', 'b', DATE '2026-01-09'), (NULL, 'a', DATE '2026-01-05')) AS t (street, word, seen)"
    )
    found = rows(tmp_path, "office__component", text, given)
    assert len({row["component_id"] for row in found}) == 3
    assert sorted((row["component_name"] or "", row["surveyed_date"]) for row in found) == [
        ("", date(2026, 1, 5)),
        ("other", date(2026, 1, 9)),
        ("s", date(2026, 1, 2)),
        ("s", date(2026, 1, 2)),
    ]


def test_constants_and_codes_with_a_quote_stay_what_they_are(tmp_path: Path) -> None:
    text = 'from: things\nid: no\ncolumns: {dept_name_zh: {is: "O\'Brien; drop"}, dept_name_en: {text: "{no}\'s"}}\n'
    (row,) = rows(tmp_path, "office__department", text, "SELECT 'a' AS no")
    assert (row["dept_name_zh"], row["dept_name_en"]) == ("O'Brien; drop", "a's")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("office__thing", "from: a", r"has no name of a feed.*kinds are case, component"),
        ("office", "from: a", "has no name of a feed"),
        ("office__case", "[", "is not readable YAML"),
        ("office__case", "just words", r"says nothing.*begin with `from"),
        ("office__case", "from: a\nidd: b\n", "idd"),
        ("office__case", "from: a\nstatus: {name: b}\n", "names neither `source` nor `is`"),
        ("office__case", "from: a\nstatus: {source: b, none: drop}\n", "`none` is leave_out or empty"),
        ("office__case", "from: a\nstatus: {is: filed, codes: {1: filed}}\n", "a constant needs no mapping"),
        ("office__case", "from: a\nid: no thing\n", "is neither a column nor a value"),
        ("office__case", "from: a\nid: {text: 'a{b'}\n", "has a brace that names no column"),
        ("office__case", "from: a\nid: {hsah: [b]}\n", "is no value"),
    ],
)
def test_what_is_no_feed_is_refused_with_its_file(tmp_path: Path, name: str, text: str, told: str) -> None:
    file = tmp_path / f"{name}.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FeedError, match=f"(?s)feeds/{name}.yml.*{told}"):
        staging_sql(load_feed(file))


def test_codes_and_columns_stay_as_they_are_written(tmp_path: Path) -> None:
    """Other readers of YAML take `no` for false, 0101 for 65 and 12:30 for 750."""
    text = "from: things\nid: no\ncolumns: {dept_name_zh: {by: on, cases: {0101: {is: 0070}, 12:30: {is: yes}}}}\n"
    found = rows(
        tmp_path, "office__department", text, "SELECT * FROM (VALUES ('1', '0101'), ('2', '12:30')) AS t (no, \"on\")"
    )
    assert {row["dept_id"]: row["dept_name_zh"] for row in found} == {"1": "0070", "2": "yes"}


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "office__case.yml"
    file.write_text("from: a\nid: b\nid: c\n", encoding="utf-8")
    with pytest.raises(FeedError, match=r"in line 3: the key 'id' is written twice"):
        load_feed(file)
