"""A second look into an XLSX workbook: what its library hides of the sheet's XML.

The library gives an error cell and a formula without a stored result as nothing, a number through a float, and no
formats, merged cells or hidden rows. Here the XML is taken apart by DuckDB over whole blocks of rows into the
temporary table of cells. Does not belong here: reading the values (`workbook_reader`).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from posixpath import join, normpath
from xml.etree import ElementTree

import duckdb

from pipelines.connectors.batch import UnreadableDelivery
from warehouse.identifiers import literal

# What stands for a formula that was never computed; a source file may name it, as `#N/A`, under `null_values`.
UNCOMPUTED = "#FORMULA"
# A workbook keeps so many digits of a number; what follows is made up.
EXACT_DIGITS = 15
_BLOCK_BYTES = 4 << 20
_BROKEN = "the workbook is cut off or damaged. Fix: ask the provider to deliver it again"
_PREFIX = r"(?:[A-Za-z0-9]+:)?"
_ROW = rf"(?s)<{_PREFIX}row(?:\s[^>]*?)?(?:/>|>.*?</{_PREFIX}row>)"
_CELL = rf"(?s)<{_PREFIX}c(?:\s[^>]*?)?(?:/>|>.*?</{_PREFIX}c>)"
_ROW_END = re.compile(rb"</(?:[A-Za-z0-9]+:)?row>")
_CONTENT = re.compile(rb"<(?:[A-Za-z0-9]+:)?(?:v|t)(?:\s[^>]*)?>[^<]")
_MERGED = re.compile(rb"<(?:[A-Za-z0-9]+:)?mergeCell\s[^>]*ref=[\"'][A-Z]+([0-9]+)(?::[A-Z]+([0-9]+))?")


@dataclass(frozen=True)
class Sheet:
    """One worksheet: its part of the package, and whether it is hidden."""

    name: str
    part: str
    is_hidden: bool


@dataclass(frozen=True)
class Book:
    """The worksheets of a workbook in order, and how many digits each cell style fills up with zeros (0: none)."""

    path: Path
    sheets: tuple[Sheet, ...]
    padded_digits: tuple[int, ...]

    @classmethod
    def open(cls, path: Path) -> Book:
        """Read the package's lists.

        Raises:
            UnreadableDelivery: it is no workbook, or damaged.
        """
        try:
            with zipfile.ZipFile(path) as package:
                if package.testzip() is not None:
                    raise UnreadableDelivery(_BROKEN)
                return cls(path, _sheets(package), _padded_digits(package))
        except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, OSError, ValueError):
            raise UnreadableDelivery(_BROKEN) from None

    def sheet(self, wanted: int | str) -> Sheet:
        """A sheet by its number from 1 or its name.

        Raises:
            UnreadableDelivery: there is none.
        """
        by_number = dict(enumerate(self.sheets, start=1))
        found = (
            by_number.get(wanted)
            if isinstance(wanted, int)
            else next((sheet for sheet in self.sheets if sheet.name == wanted), None)
        )
        if found is None:
            raise UnreadableDelivery(
                f"sheet {wanted!r} of the workbook is not there; it has {len(self.sheets)}. Fix: check `sheet` and the"
                " file"
            )
        return found

    def filled_besides(self, chosen: Sheet) -> int:
        """How many other sheets hold anything."""
        with zipfile.ZipFile(self.path) as package:
            return sum(
                _CONTENT.search(package.read(sheet.part)) is not None for sheet in self.sheets if sheet != chosen
            )

    def merged(self, sheet: Sheet, below: int) -> int:
        """How many merged areas reach below a row."""
        with zipfile.ZipFile(self.path) as package:
            areas = _MERGED.findall(package.read(sheet.part))
        return sum(int(last or first) > below for first, last in areas)

    def cells(self, connection: duckdb.DuckDBPyConnection, sheet: Sheet, table: str) -> None:
        """Fill a temporary table with the sheet's cells that hold anything.

        Its columns: `row` and `col` from 1, `is_hidden`, `kind` (`number`, `error`, `uncomputed`, `other`), `value`
        as the XML has it, `digits` to fill up with zeros.
        """
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} (row BIGINT, col INTEGER, is_hidden BOOLEAN, kind VARCHAR,"
            " value VARCHAR, digits INTEGER)"
        )
        done = 0
        for block in _row_blocks(self.path, sheet):
            connection.execute(f"INSERT INTO {table} {_cells_of(self.padded_digits)}", {"xml": block, "done": done})
            done += len(_ROW_END.findall(block.encode()))


def _row_blocks(path: Path, sheet: Sheet) -> Iterator[str]:
    """The sheet's XML in blocks of whole rows."""
    rest = b""
    with zipfile.ZipFile(path) as package, package.open(sheet.part) as stream:
        while block := stream.read(_BLOCK_BYTES):
            rest += block
            ends = [match.end() for match in _ROW_END.finditer(rest, max(0, len(rest) - 2 * _BLOCK_BYTES))]
            if ends:
                yield rest[: ends[-1]].decode("utf-8", "replace")
                rest = rest[ends[-1] :]
    yield rest.decode("utf-8", "replace")


def _cells_of(padded_digits: tuple[int, ...]) -> str:
    """SQL of the cells of a block; attributes and order of a cell's parts are those that any program may write."""
    digits = "CAST([" + ", ".join(map(str, padded_digits)) + "] AS INTEGER[])"

    def attribute(name: str, text: str) -> str:
        return f"regexp_extract({text}, '\\s{name}=[\"'']([^\"'']*)[\"'']', 1)"

    letters = "regexp_extract(place, '^[A-Z]+')"
    column = (
        f"list_reduce(list_transform(string_split({letters}, ''), lambda x: ascii(x) - 64), lambda x, y: x * 26 + y)"
    )
    return f"""
        SELECT row, CASE WHEN {letters} <> '' THEN {column} ELSE number END, is_hidden,
               CASE WHEN kind = 'e' THEN 'error'
                    WHEN value <> '' AND kind IN ('', 'n') THEN 'number'
                    WHEN value = '' AND kind IN ('', 'n', 'b', 'd') THEN 'uncomputed' ELSE 'other' END,
               value, coalesce({digits}[coalesce(TRY_CAST(style AS INTEGER), 0) + 1], 0)
        FROM (
            SELECT row, is_hidden, number, {attribute("r", "head")} AS place, {attribute("s", "head")} AS style,
                   {attribute("t", "head")} AS kind,
                   regexp_extract(cell, '<{_PREFIX}v(?:\\s[^>]*)?>([^<]*)<', 1) AS value,
                   regexp_matches(cell, '<{_PREFIX}f[\\s/>]') AS has_formula,
                   regexp_matches(cell, '<{_PREFIX}t(?:\\s[^>]*)?>') AS has_text
            FROM (
                SELECT row, is_hidden, unnest(cells) AS cell, unnest(range(1, len(cells) + 1)) AS number,
                       regexp_extract(cell, '^<[^>]*>') AS head
                FROM (
                    SELECT coalesce(TRY_CAST({attribute("r", "head")} AS BIGINT), $done + number) AS row,
                           {attribute("hidden", "head")} IN ('1', 'true') AS is_hidden,
                           regexp_extract_all(text, {literal(_CELL)}) AS cells
                    FROM (
                        SELECT unnest(rows) AS text, unnest(range(1, len(rows) + 1)) AS number,
                               regexp_extract(text, '^<[^>]*>') AS head
                        FROM (SELECT regexp_extract_all($xml, {literal(_ROW)}) AS rows))))
        )
        WHERE value <> '' OR has_formula OR has_text"""


def _xml(package: zipfile.ZipFile, part: str) -> ElementTree.Element:
    """One of the package's short lists; a workbook declares no entities, so nothing can be made of them."""
    text = package.read(part)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise UnreadableDelivery(_BROKEN)
    return ElementTree.fromstring(text)  # noqa: S314 - no entities, as seen above


def _sheets(package: zipfile.ZipFile) -> tuple[Sheet, ...]:
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in _xml(package, "xl/_rels/workbook.xml.rels")
        if relation.get("Type", "").endswith("/worksheet")
    }
    found = []
    for element in _xml(package, "xl/workbook.xml").iter():
        if element.tag.rpartition("}")[2] != "sheet":
            continue
        identity = next((value for key, value in element.items() if key.rpartition("}")[2] == "id"), "")
        if identity in targets:
            target = targets[identity]
            part = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            found.append(Sheet(element.get("name", ""), part, element.get("state", "visible") != "visible"))
    return tuple(found)


def _padded_digits(package: zipfile.ZipFile) -> tuple[int, ...]:
    """Per cell style the width of a number format that is nothing but zeros, such as `000000`."""
    if "xl/styles.xml" not in package.namelist():
        return ()
    root = _xml(package, "xl/styles.xml")
    formats: dict[str, str] = {}
    widths: list[int] = []
    for element in root.iter():
        name = element.tag.rpartition("}")[2]
        if name == "numFmt":
            formats[element.get("numFmtId", "")] = element.get("formatCode", "")
        elif name == "cellXfs":
            for style in element:
                code = formats.get(style.get("numFmtId", ""), "").split(";")[0]
                widths.append(len(code) if re.fullmatch("00+", code) else 0)
    return tuple(widths)
