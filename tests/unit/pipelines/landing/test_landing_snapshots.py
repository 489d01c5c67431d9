"""Registers that are delivered whole: what is missing from the newest snapshot is gone, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.contract import Contract
from pipelines.sources.declared import SourceError, load_source
from tests.unit.pipelines.landing.landings import Place, contract, field, files
from warehouse.settings import Settings

TREES = contract(field("tree", is_required=True, key_position=1), field("state"), field("height", "INTEGER"))
HEADER = "tree,state,height\n"


def register(settings: Settings, root: Path, described: Contract = TREES, **entry: object) -> Place:
    entry.setdefault("snapshot", {})
    return files(settings, root, described, **entry)


def standing(place: Place, key: str = "tree") -> list[str]:
    """The keys whose newest row is no tombstone."""
    rows = place.sql(
        f"SELECT {key} FROM (SELECT * FROM lake.raw.{place.contract.name} QUALIFY row_number() OVER (PARTITION BY {key}"
        " ORDER BY _load_seq DESC, _is_deleted DESC, _delivery_no DESC, _source_row DESC) = 1)"
        " WHERE NOT _is_deleted ORDER BY 1"
    )
    return [found for (found,) in rows]


def superseded(place: Place) -> list[str]:
    return [load["uri"] for load in place.loads() if load["is_superseded"]]


def test_what_the_next_snapshot_lacks_is_gone(settings: Settings, tmp_path: Path) -> None:
    place = register(settings, tmp_path / "drops")
    place.drop("1.csv", HEADER + "a,whole,1\nb,whole,1\nc,whole,1\n")
    place.land()
    place.drop("2.csv", HEADER + "a,broken,1\nc,whole,1\nd,whole,1\n")
    result = place.land()
    assert standing(place) == ["a", "c", "d"]
    assert result.counts.deleted_count == 1
    assert [(load["uri"], load["deleted_count"]) for load in place.loads()] == [("1.csv", 0), ("2.csv", 1)]
    assert superseded(place) == ["1.csv"]
    place.drop("3.csv", HEADER + "b,whole,1\na,broken,1\nc,whole,1\nd,whole,1\n")
    place.land()
    assert standing(place) == ["a", "b", "c", "d"]


def test_snapshots_that_come_together_are_taken_one_after_another(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = register(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", HEADER + "a,,1\nb,,1\n")
    place.drop("2.csv", HEADER + "a,,1\n")
    place.land()
    assert standing(place) == ["a"]


def test_a_refused_row_is_not_missing(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = register(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", HEADER + "a,,1\nb,,1\n")
    place.land()
    place.drop("2.csv", HEADER + "a,,1\nb,,tall\n")
    place.land()
    assert standing(place) == ["a", "b"]
    # Core may not take the row for gone because its snapshot was superseded.
    assert [load["has_gap_marks"] for load in place.loads()] == [True, True]


def test_an_older_snapshot_that_lands_late_does_not_end_what_the_newest_refused(
    sqlite_settings: Settings, tmp_path: Path
) -> None:
    place = register(sqlite_settings, tmp_path / "drops", path="{day}.csv", snapshot={"at": "day"})
    place.drop("2.csv", HEADER + "a,,2\nb,,2\n")
    place.land()
    place.drop("3.csv", HEADER + "a,,3\nb,,tall\n")
    place.land()
    place.drop("1.csv", HEADER + "a,,1\nb,,1\nold,,1\n")
    place.land()
    assert standing(place) == ["a", "b"]


def test_a_snapshot_that_lacks_too_much_is_refused_with_both_numbers(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = register(sqlite_settings, tmp_path / "drops")
    trees = [f"{n},,1\n" for n in range(10, 50)]
    place.drop("1.csv", HEADER + "".join(trees))
    place.land()
    place.drop("2.csv", HEADER + "".join(trees[:20]))
    before = place.snapshot()
    (refusal,) = place.land().refusals
    assert "20 of the 40 keys that the lake holds are missing, more than `deletes_allowed` (10%)" in refusal.problem
    assert place.rows("DISTINCT _load_seq", order="1") == [(1,)]
    allowed = place.with_entry(deletes_allowed=0.5)
    assert allowed.land().refusals == ()
    assert len(standing(place)) == 20
    assert before < place.snapshot()


def test_an_emptied_register_is_refused_however_few_rows_it_had(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = register(sqlite_settings, tmp_path / "drops")
    place.drop("1.csv", HEADER + "a,,1\n")
    place.land()
    place.drop("2.csv", HEADER)
    (refusal,) = place.land().refusals
    assert "the table is empty although the lake holds rows of it" in refusal.problem
    assert place.with_entry(may_be_empty=True).land().refusals == ()
    assert standing(place) == []


def test_an_older_snapshot_that_lands_late_changes_nothing_that_stands(settings: Settings, tmp_path: Path) -> None:
    dated = {"path": "{day}.csv", "snapshot": {"at": "day"}}
    place = register(settings, tmp_path / "drops", **dated)
    place.drop("20260402.csv", HEADER + "a,,2\nb,,2\n")
    place.land()
    place.drop("20260401.csv", HEADER + "a,,1\nold,,1\n")
    place.land()
    assert standing(place) == ["a", "b"]
    assert superseded(place) == ["20260401.csv"]
    assert place.loads()[-1]["deleted_count"] == 1
    place.drop("20260403.csv", HEADER + "a,,3\nold,,3\n")
    place.land()
    assert standing(place) == ["a", "old"]


def test_several_files_are_one_snapshot_and_each_layer_is_a_register(settings: Settings, tmp_path: Path) -> None:
    layered = {
        "path": "{day}/{layer}_{part}.csv",
        "snapshot": {"of": ["layer"], "at": "day"},
    }
    place = register(settings, tmp_path / "drops", **layered)
    place.drop("1/trees_east.csv", HEADER + "a,,1\nb,,1\n")
    place.drop("1/trees_west.csv", HEADER + "c,,1\nd,,1\n")
    place.drop("1/seats_all.csv", HEADER + "s,,1\nt,,1\n")
    place.land()
    place.drop("2/trees_east.csv", HEADER + "a,,1\n")
    place.drop("2/trees_west.csv", HEADER + "c,,1\nd,,1\n")
    place.land()
    assert standing(place) == ["a", "c", "d", "s", "t"]
    # A part that is corrected takes the place of its former self, and of nothing else.
    place.drop("2/trees_west.csv", HEADER + "c,,1\n")
    place.land()
    assert standing(place) == ["a", "c", "s", "t"]
    assert superseded(place) == ["1/trees_east.csv", "1/trees_west.csv", "2/trees_west.csv"]


def test_a_snapshot_is_refused_with_the_part_that_is_damaged(sqlite_settings: Settings, tmp_path: Path) -> None:
    place = register(sqlite_settings, tmp_path / "drops", path="{day}/{part}.csv", snapshot={"at": "day"})
    place.drop("1/east.csv", HEADER + "a,,1\n")
    place.drop("1/west.csv", "")
    problems = {refusal.uri: refusal.problem for refusal in place.land().refusals}
    assert problems["1/east.csv"] == "is of one snapshot with 1/west.csv, which is refused"
    assert problems["1/west.csv"].startswith("the file is empty")
    assert place.loads() == []


def test_where_the_key_holds_the_date_no_key_is_gone(sqlite_settings: Settings, tmp_path: Path) -> None:
    described = contract(
        field("day", is_required=True, key_position=1), field("tree", is_required=True, key_position=2)
    )
    dated = {"path": "{day}.csv", "snapshot": {"at": "day"}, "fields": {"day": "{day}"}}
    place = register(sqlite_settings, tmp_path / "drops", described, **dated)
    place.drop("1.csv", "tree\na\nb\nc\n")
    place.drop("2.csv", "tree\na\n")
    place.land()
    assert place.rows("day, tree, _is_deleted", order="1, 2") == [
        ("1", "a", False),
        ("1", "b", False),
        ("1", "c", False),
        ("2", "a", False),
    ]
    assert superseded(place) == ["1.csv"]
    assert [load["has_gap_marks"] for load in place.loads()] == [False, False]


@pytest.mark.parametrize(
    ("block", "kind", "problem"),
    [
        ("snapshot: {at: day}", "files: {root: x}", "`path` does not take"),
        ("snapshot: {of: [layer]}", "files: {root: x}", "`path` does not take"),
        ("snapshot: {}", "rest: {base_url: x}", "`snapshot` is for files"),
    ],
)
def test_a_declaration_that_cannot_be_kept_is_refused(tmp_path: Path, block: str, kind: str, problem: str) -> None:
    file = tmp_path / "office.yml"
    name = kind.partition(":")[0]
    file.write_text(
        f"city: demo\nsystem: office\ntitle_zh: x\ntitle_en: x\nowner: x\nkind: {name}\n{kind}\n"
        f"datasets:\n  - dataset: orders\n    path: a.csv\n    {block}\n"
    )
    with pytest.raises(SourceError, match=problem):
        load_source(file)
