"""Every fault of a feed is told at once, with its file, its place and the fix."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from catalog.contract import Contract
from catalog.feeds.faults import feed_faults
from catalog.feeds.feed import load_feed

SOUND = """\
from: orders
id: order_no
class: class_code
channel: {is: public}
status: state
columns: {is_public_report: true}
"""
_FIELDS = ("order_no", "class_code", "state", "district_code", "location")


def contract(*fields: str) -> Contract:
    return cast("Contract", SimpleNamespace(fields=tuple(SimpleNamespace(name=name) for name in fields)))


def told(folder: Path, text: str, **changed: Any) -> list[str]:
    file = folder / "office__case.yml"
    file.write_text(text, encoding="utf-8")
    known: dict[str, Any] = {
        "contracts": {"orders": contract(*_FIELDS)},
        "mappings": {"office__class", "office__status"},
        "lists": {"units": ("dept_id", "name")},
        "landed": {"orders"},
    }
    return [str(fault) for fault in feed_faults([load_feed(file)], **(known | changed))]


def test_a_sound_feed_has_none(tmp_path: Path) -> None:
    assert told(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("wrong", "right", "fault"),
    [
        ("from: ordres", "from: orders", "from: there is no data set ordres. Fix: use orders"),
        ("id: ordr_no", "id: order_no", "id: orders has no column ordr_no. Fix: use order_no"),
        ("status: zzz", "status: state", "status.source: orders has no column zzz. Fix: write a constant as {is: …}"),
        ("from: {list: unit}", "from: orders", "from: there is no list unit. Fix: use units"),
        (
            "status: {source: state, map: office__stat}",
            "status: state",
            "stat: there is no mapping office__stat. Fix: use office__status",
        ),
        (
            "columns: {is_public_report: true, urgency: {is: a}}",
            "columns: {is_public_report: true}",
            "columns.urgency: the kind case has no column urgency. Fix: use urgency_code",
        ),
        (
            "columns: {}",
            "columns: {is_public_report: true}",
            "is_public_report: a case always has it, and nothing fills it. Fix: name where it comes from",
        ),
        (
            "columns: {is_public_report: true, lat: {text: '{place}'}}",
            "columns: {is_public_report: true}",
            "columns.lat: orders has no column place",
        ),
        ("by: state\nid: order_no", "id: order_no", "by: `by` and `only` belong together. Fix: write both or neither"),
        (
            "same: [is_public_report]\nid: order_no",
            "id: order_no",
            "columns.is_public_report: is said twice. Fix: say it under `same` or under `columns`",
        ),
        ("", "id: order_no\n", "id: nothing tells one thing from another. Fix: name the column of source_case_id"),
        ("position: here\nid: order_no", "id: order_no", "position: orders has no column here"),
    ],
)
def test_a_fault_is_told_with_its_place_and_its_fix(tmp_path: Path, wrong: str, right: str, fault: str) -> None:
    assert right in SOUND
    found = told(tmp_path, SOUND.replace(right, wrong))
    assert any(line.startswith(f"feeds/office__case.yml: {fault}") for line in found), found


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = SOUND.replace("order_no", "number").replace("status: state", "status: condition").replace("id", "id")
    found = told(tmp_path, text, mappings={"office__class"}, landed=set())
    assert [line.split(": ")[1] for line in found] == ["from", "id", "status", "status.source"]


def test_a_mapping_that_nothing_uses_is_told(tmp_path: Path) -> None:
    (found,) = told(tmp_path, SOUND, mappings={"office__class", "office__status", "office__channel"})
    assert found.startswith("mappings/map_office__channel.csv: file: no feed looks into it")


def test_a_kind_knows_what_it_has_no_place_for(tmp_path: Path) -> None:
    file = tmp_path / "office__department.yml"
    file.write_text("from: orders\nid: order_no\nlayer: state\nposition: location\n", encoding="utf-8")
    contracts = {"orders": contract(*_FIELDS)}
    found = [str(f) for f in feed_faults([load_feed(file)], contracts, set(), {}, {"orders"})]
    assert [line.split(": ", 1)[1] for line in found] == [
        "layer: the kind department has no layers. Fix: take it out",
        "position: the kind department has no place. Fix: take it out",
    ]
