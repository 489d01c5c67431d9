"""A readable report of one run of suites: a JSON file and an HTML page below `<home>/quality/`.

Made from `CheckResult`s, never from Great Expectations' own pages: those show sample values.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from quality.results import CheckResult
from warehouse.languages import LANGUAGES
from warehouse.settings import Settings

KEPT_RUNS = 50

_PAGE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<title>数据质量 / Data quality — {city} — {at}</title>
<style>
body {{ font-family: sans-serif; margin: 2rem auto; max-width: 72rem; color: #222; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem; }}
th, td {{ border-bottom: 1px solid #ddd; padding: .3rem .5rem; text-align: left; vertical-align: top; }}
td.n {{ text-align: right; }}
tr.failed td:first-child {{ color: #a00; font-weight: bold; }}
tr.warned td:first-child {{ color: #960; font-weight: bold; }}
</style>
</head>
<body>
<h1>数据质量 / Data quality</h1>
<p>{city} · {at} UTC · {passed} / {total} 通过 passed</p>
{tables}
</body>
</html>
"""

_TABLE = """<h2>{name}</h2>
<table>
<tr><th>结果 Result</th><th>规则 Rule</th><th>检查 Checked</th><th>不符 Failed</th><th>主键 Keys</th></tr>
{rows}
</table>"""


def write_report(settings: Settings, results: Sequence[CheckResult], *, at: datetime | None = None) -> Path:
    """Write the report of one run; returns the HTML page, the JSON file stands beside it.

    Older runs than the last `KEPT_RUNS` are removed.

    Args:
        settings: of the lake.
        results: of the run.
        at: its time, UTC without zone; now if absent.
    """
    moment = at or datetime.now(UTC).replace(tzinfo=None)
    folder = settings.home_path / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"suites-{moment:%Y%m%dT%H%M%S%f}.html"
    document = {
        "city": settings.city,
        "checked_at": moment.isoformat(),
        "passed": sum(result.is_passed for result in results),
        "results": [{**asdict(result), "message": result.message} for result in results],
    }
    text = json.dumps(document, ensure_ascii=False, indent=1)
    page.with_suffix(".json").write_text(text, encoding="utf-8")
    page.write_text(_page(settings.city, moment, results), encoding="utf-8")
    for old in sorted(folder.glob("suites-*.html"))[:-KEPT_RUNS]:
        old.unlink()
        old.with_suffix(".json").unlink(missing_ok=True)
    return page


def _page(city: str, moment: datetime, results: Sequence[CheckResult]) -> str:
    tables: dict[str, list[CheckResult]] = {}
    for result in results:
        tables.setdefault(f"{result.layer}.{result.dataset}", []).append(result)
    return _PAGE.format(
        city=escape(city),
        at=f"{moment:%Y-%m-%d %H:%M:%S}",
        passed=sum(result.is_passed for result in results),
        total=len(results),
        tables="\n".join(
            _TABLE.format(name=escape(name), rows="\n".join(_row(result) for result in group))
            for name, group in tables.items()
        ),
    )


def _row(result: CheckResult) -> str:
    if result.is_passed:
        style, label = "", "通过 passed"
    elif result.severity == "warning":
        style, label = ' class="warned"', "警告 warning"
    else:
        style, label = ' class="failed"', "不通过 failed"
    # A check that could not run has no counts; its text says why.
    keys = "<br>".join(escape(key) for key in result.failed_keys)
    if not result.is_passed and result.failed_count is None:
        keys = "<br>".join(escape(result.text.in_language(language)) for language in LANGUAGES)
    counts = "".join(
        f'<td class="n">{"" if n is None else n}</td>' for n in (result.checked_count, result.failed_count)
    )
    return f"<tr{style}><td>{label}</td><td>{escape(result.rule)}</td>{counts}<td>{keys}</td></tr>"
