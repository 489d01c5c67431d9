"""Writers whose output depends on the rows alone: no clock, no compressor header, no order of threads.

Each takes a whole frame; text is put together by Polars column by column.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from pathlib import Path

import polars as pl

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def write_bytes(path: Path, content: bytes, written_at: int) -> None:
    """Replace a file whole; its modification time is `written_at` (seconds since 1970)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)
    os.utime(partial, (written_at, written_at))
    partial.replace(path)


def csv(frame: pl.DataFrame, encoding: str = "utf-8") -> bytes:
    """A CSV file with a header line."""
    return frame.write_csv().encode(encoding)


def ndjson(frame: pl.DataFrame) -> bytes:
    """One JSON object a line; a row marked in `_is_cut` loses the end of its line, as a broken transfer would."""
    is_cut = (
        frame["_is_cut"] if "_is_cut" in frame.columns else pl.Series([False]).extend_constant(False, frame.height - 1)
    )
    body = frame.drop("_is_cut", strict=False).select(pl.struct(pl.all()).struct.json_encode().alias("line"))
    lines = body.with_columns(is_cut=is_cut).select(
        pl.when("is_cut").then(pl.col("line").str.head(-20)).otherwise("line").str.join("\n")
    )
    return (str(lines.item()) + "\n").encode()


def geojson(frame: pl.DataFrame, name: str) -> bytes:
    """A GeoJSON feature collection: column `geometry` is GeoJSON text, all others are properties."""
    features = frame.select(
        pl.concat_str(
            pl.lit('{"type":"Feature","properties":'),
            pl.struct(pl.all().exclude("geometry")).struct.json_encode(),
            pl.lit(',"geometry":'),
            pl.col("geometry"),
            pl.lit("}"),
        ).str.join(",\n")
    ).item()
    # No "crs" member: RFC 7946 dropped it. CGCS2000 agrees with WGS 84 to centimetres.
    return f'{{"type":"FeatureCollection","name":"{name}","features":[\n{features}\n]}}\n'.encode()


def xlsx(frame: pl.DataFrame, sheet: str) -> bytes:
    """A workbook with one sheet: a header row, numbers as numbers, everything else as inline text."""
    letters = [chr(ord("A") + i) for i in range(frame.width)]
    header = "".join(_text_cell(f"{letter}1", name) for letter, name in zip(letters, frame.columns, strict=True))
    cells = [_cell(frame.schema[name], name, letter) for letter, name in zip(letters, frame.columns, strict=True)]
    rows = frame.with_row_index("_row", offset=2).select(
        pl.concat_str(pl.lit('<row r="'), pl.col("_row"), pl.lit('">'), *cells, pl.lit("</row>")).str.join("")
    )
    body = f'<worksheet xmlns="{_SHEET}"><sheetData><row r="1">{header}</row>{rows.item()}</sheetData></worksheet>'
    main = f"{_TYPE}.sheet.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{main}"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_REL}"><sheets>'
        f'<sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": body,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            # A fixed date instead of the clock's.
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), (_XML + text).encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


def _cell(dtype: pl.DataType, name: str, letter: str) -> pl.Expr:
    """The XML of one column's cells; a missing value gives no cell."""
    place = pl.concat_str(pl.lit(f'<c r="{letter}'), pl.col("_row"))
    if dtype.is_numeric():
        cell = pl.concat_str(place, pl.lit('"><v>'), pl.col(name), pl.lit("</v></c>"))
    else:
        text = pl.col(name).str.replace_all("&", "&amp;", literal=True).str.replace_all("<", "&lt;", literal=True)
        cell = pl.concat_str(place, pl.lit('" t="inlineStr"><is><t>'), text, pl.lit("</t></is></c>"))
    return cell.fill_null("")
