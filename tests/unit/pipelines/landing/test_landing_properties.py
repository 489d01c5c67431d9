"""Whatever a file holds, every one of its rows is in `raw` or in `quarantine`, once, as it was written."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.connectors.batch import Batch, Refusal
from pipelines.connectors.fetch import Fetch
from pipelines.connectors.files.connector import batches
from pipelines.landing.land import _land_all
from tests.unit.pipelines.landing.landings import Place, assert_books, contract, field, files
from warehouse.lake.session import open_lake
from warehouse.settings import Settings

# A line end inside a value is written as it is; a lone CR is a line end for the reader and is left out here.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8)
TRICKY = st.sampled_from(
    ["", " ", '"', '""', ",", "\n", "a,b", 'x"y', "NULL", "\0", "中文", "\u3000", "'; --", "1", "0101"]
)
CELL = st.one_of(TRICKY, TEXT)
NO_WIDTH = "\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
# Python calls them spaces; no keyboard writes them.
CONTROLS = "\x0b\x0c\x1c\x1d\x1e\x1f"
TEXTS = contract(field("order_no", is_required=True, key_position=1), field("amount"), field("note"))


def written(rows: list[list[str]], *, line_end: str) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    return sink.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("random")
    return files(Settings(home=folder / "home", memory="400MB", threads=1), folder / "drops", TEXTS)


def land_anew(place: Place, contents: dict[str, bytes]) -> tuple[dict[str, list[tuple[object, ...]]], list[Refusal]]:
    """Land files in a lake that is emptied first; the rows of `raw` and `quarantine` by file."""
    for path in place.root.glob("*"):
        path.unlink()
    for name, content in contents.items():
        place.drop(name, content)
    refusals: list[Refusal] = []
    with open_lake(place.settings) as lake:
        for schema in ("raw", "quarantine"):
            lake.execute(f"DROP TABLE IF EXISTS lake.{schema}.orders")
        lake.execute("DELETE FROM lake.ops.load")
        (entry,) = place.source.datasets
        fetch = Fetch(place.settings, place.source, entry, place.contract, place.root / "spool")
        checked: list[Batch | Refusal] = list(batches(lake, fetch))
        list(_land_all(lake, place.settings, place.source, entry, place.contract, iter(checked), refusals))
        found: dict[str, list[tuple[object, ...]]] = {name: [] for name in contents}
        if lake.execute("SELECT count(*) FROM lake.ops.load").fetchall() != [(0,)]:
            assert_books(lake, "orders")
            for name, *row in lake.execute(
                "SELECT uri, _source_row, order_no, amount, note, NULL FROM lake.raw.orders JOIN lake.ops.load"
                " ON _delivery_id = delivery_id UNION ALL SELECT uri, _source_row, NULL, NULL, NULL, original"
                " FROM lake.quarantine.orders JOIN lake.ops.load ON _delivery_id = delivery_id ORDER BY 1, 2"
            ).fetchall():
                found[name].append(tuple(row))
    return found, refusals


QUICK = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@QUICK
@given(
    st.lists(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=12), min_size=1, max_size=3),
    st.sampled_from(["\n", "\r\n"]),
)
def test_whole_rows_arrive_as_they_were_written_and_in_place(
    place: Place, tables: list[list[list[str]]], line_end: str
) -> None:
    header = [["order_no", "amount", "note"]]
    contents = {f"{n}.csv": written(header + rows, line_end=line_end).encode("utf-8") for n, rows in enumerate(tables)}
    found, refusals = land_anew(place, contents)
    assert refusals == []
    for n, rows in enumerate(tables):
        assert [row[0] for row in found[f"{n}.csv"]] == list(range(1, len(rows) + 1))
        for (_, order_no, amount, note, original), cells in zip(found[f"{n}.csv"], rows, strict=True):
            if original is None:
                # Of the key blanks at its ends do not count.
                texts = [cell if is_kept(cell) else None for cell in cells[1:]]
                assert [order_no, amount, note] == [without_blanks(cells[0]), *texts]
            else:
                assert not is_kept(cells[0])


def without_blanks(cell: str) -> str:
    """A cell without what shows nothing at its ends."""

    def is_blank(character: str) -> bool:
        return (character.isspace() and character not in CONTROLS) or character in NO_WIDTH

    while cell and is_blank(cell[0]):
        cell = cell[1:]
    while cell and is_blank(cell[-1]):
        cell = cell[:-1]
    return cell


def is_kept(cell: str) -> bool:
    """Whether a cell shows anything."""
    return bool(without_blanks(cell))


@QUICK
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"], include_characters='",\n'), max_size=20),
        max_size=12,
    ),
)
def test_ragged_and_broken_lines_are_all_accounted_for(place: Place, lines: list[str]) -> None:
    content = "order_no,amount,note\n" + "\n".join(lines) + "\n"
    found, refusals = land_anew(place, {"a.csv": content.encode("utf-8")})
    rows = found["a.csv"]
    if refusals:  # a quote that goes wrong makes the rows after it unreadable
        assert (rows, '"' in content) == ([], True)
        return
    places = [row[0] for row in rows]
    assert len(set(places)) == len(places)
    # Nothing is lost: every character that is no separator stands somewhere.
    cells = [str(cell) for row in rows for cell in row[1:4] if cell is not None]
    originals = [json.loads(str(row[4])) for row in rows if row[4] is not None]
    kept = "".join(cells + [text for original in originals for text in original.values()])
    for line in lines:
        for word in line.replace('"', " ").replace(",", " ").split():
            assert word in kept


@QUICK
@given(st.binary(max_size=200))
def test_any_bytes_land_or_are_refused_but_never_break_the_run(place: Place, content: bytes) -> None:
    good = b"order_no,amount,note\n1,2,3\n"
    found, refusals = land_anew(place, {"any.csv": content, "good.csv": good, "tail.csv": good + content})
    assert found["good.csv"] == [(1, "1", "2", "3", None)]
    assert {refusal.uri for refusal in refusals} <= {"any.csv", "tail.csv"}
    for name in ("any.csv", "tail.csv"):
        assert bool(found[name]) + (name in {refusal.uri for refusal in refusals}) <= 1
