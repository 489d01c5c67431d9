"""The figures of the made-up city that pages quote: renewed from a lake after its first run.

    .venv/bin/python tests/integration/quoted.py .gridlake/demo

writes them into the pages; `test_quoted_figures` holds the pages against the lake of the test run. Figures are quoted
in blocks of text: the rows that the `gridlake query` above prints, or lines of what `gridlake demo` and `gridlake
status` print, which may leave others out.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lakes import REPOSITORY, BuiltLake, gridlake

from quality.results import latest
from warehouse.settings import load_settings

_BLOCK = re.compile(r"^```(?P<kind>sh|text)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CELLS = re.compile(r"(?<=│)([^│]*)(?=│)")
_TABLE = ("┃", "│")


def pages() -> list[Path]:
    """The pages that quote what the made-up city prints."""
    found = sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/**/README*.md")})
    return [page for page in found if any(kind == "text" for kind, _ in blocks(page.read_text(encoding="utf-8")))]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each block of commands and of what they print."""
    yield from ((block["kind"], block["text"]) for block in _BLOCK.finditer(text))


class Quotes:
    """What the made-up city prints, asked of its lake."""

    def __init__(self, lake: BuiltLake) -> None:
        self._lake = lake
        self.count = 0

    def renewed(self, text: str) -> str:
        """A page with its quoted figures as they are; `count` grows by the number of lines that were looked up."""
        command = ""

        def block(found: re.Match[str]) -> str:
            nonlocal command
            if found["kind"] == "sh":
                command = found["text"]
                return found[0]
            asked = shlex.split(command) if command.startswith("gridlake query ") else []
            if len(asked) == 3 and found["text"].startswith(_TABLE):
                printed = self._rows_of(asked[2])
            else:
                printed = "".join(self._line(line) for line in found["text"].splitlines(keepends=True))
            return f"```text\n{printed}```"

        return _BLOCK.sub(block, text)

    def _rows_of(self, sql: str) -> str:
        printed = gridlake({**self._lake.environment, "COLUMNS": "200"}, "query", sql)
        rows = [line.rstrip() for line in printed.splitlines() if line.startswith(_TABLE)]
        self.count += len(rows)
        return "".join(f"{row}\n" for row in rows)

    def _line(self, line: str) -> str:
        if line.startswith("│"):
            name, *cells = [cell.strip() for cell in _CELLS.findall(line)]
            wanted = iter([name, *self._landed[name]])
            self.count += 1
            assert len(cells) == len(self._landed[name]), line
            return _CELLS.sub(lambda cell: _padded(next(wanted), cell[1]), line)
        if line.startswith("warning: "):
            start = ": ".join(line.split(": ")[:2])
            self.count += 1
            (told,) = [each for each in self._warnings if each.startswith(f"{start}: ")]
            return f"{told}\n"
        return line

    @cached_property
    def _landed(self) -> dict[str, list[str]]:
        """Deliveries, rows read, accepted, quarantined and in raw of each data set."""
        loads = self._lake.query(
            "SELECT dataset, count(*), sum(read_count), sum(accepted_count), sum(quarantined_count) FROM lake.ops.load"
            " GROUP BY dataset"
        )
        raw = {name: self._lake.query(f"SELECT count(*) FROM lake.raw.{name}")[0][0] for name, *_ in loads}
        return {name: [f"{int(count):,}" for count in (*counts, raw[name])] for name, *counts in loads}

    @cached_property
    def _warnings(self) -> list[str]:
        """What `gridlake status` says of the checks that fail with a warning."""
        failing = [r for r in latest(self._lake.settings) if not r.is_passed and r.severity == "warning"]
        return [f"warning: {r.layer}.{r.dataset} {r.rule}: {r.message}" for r in failing]


def _padded(value: str, cell: str) -> str:
    """The value in the place of a cell, as wide as it, on the side where the cell's own value stood."""
    inner = len(cell) - 2
    return f" {value:>{inner}} " if cell.startswith("  ") else f" {value:<{inner}} "


def main(home: Path) -> None:
    """Write the figures of the lake in `home` into the pages."""
    lake = BuiltLake(load_settings(city="demo", home=home), {"GRIDLAKE_CITY": "demo", "GRIDLAKE_HOME": str(home)})
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (renewed := Quotes(lake).renewed(text)) != text:
            page.write_text(renewed, encoding="utf-8")
            sys.stdout.write(f"renewed: {page.relative_to(REPOSITORY)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
