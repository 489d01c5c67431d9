"""What no file of the project may hold, and how long it may be."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conventions.pages import ROOT, project_files, text_of

MAX_LINES = 400
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
# Generated, given, or data: their length is not ours to choose.
_LONG = {ROOT / "LICENSE", *LOCKS}

# Written so that none of them matches this file.
MACHINE_PATH = re.compile(r"(?<![\w./<])/(?:home|root|Users|mnt|opt|srv|work)/[\w.]|(?<!\w)/tmp/\w+/|[A-Z]:\\Users")
REGISTRY = re.compile(
    r"\bpypi\.(?:org|python)|python[h]osted|registry\.npm|[c]onda\.anaconda|mirrors?\.[\w.]+\.(?:cn|com|org)"
    r"|(?:extra-)?index-[u]rl(?! )|/simple/(?=\s|$)",
    re.IGNORECASE,
)
CREDIT = re.compile(r"[c]o-authored-by|generated [w]ith", re.IGNORECASE)
LEFTOVER = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|HA[C]K)\b")
SKIP = re.compile(r"mark\.ski[p]\b(?!if)|mark\.xfai[l]\b")
PLAIN_HTTP = re.compile(r"http:[/]/[^\s\"'`<>)\]}]*")
# Names of XML vocabularies, which nobody opens, and addresses of this machine.
_NO_DOWNLOAD = {"www.w3.org", "schemas.openxmlformats.org", "127.0.0.1", "localhost"}


def places(pattern: re.Pattern[str], *, without: set[Path] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """Where a pattern stands, as file:line: text."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in project_files()
        if path not in without
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def test_no_file_is_too_long() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in project_files()
        if path not in _LONG and path.suffix != ".csv" and (count := len(text_of(path).splitlines())) > MAX_LINES
    }
    assert long == {}, f"split what is longer than {MAX_LINES} lines"


def test_no_file_names_a_place_of_one_machine() -> None:
    # The operator's page tells where an installation lies, and its test puts another place there.
    installed = {*(ROOT / "docs/operate").iterdir(), ROOT / "tests/integration/test_operate.py"}
    assert places(MACHINE_PATH, without=installed) == []


def test_no_file_names_a_registry() -> None:
    assert places(REGISTRY) == []


def test_no_file_tells_who_wrote_it() -> None:
    assert places(CREDIT, without={ROOT / "LICENSE"}) == []


def test_nothing_is_left_for_later() -> None:
    assert places(LEFTOVER) == []
    assert places(SKIP) == [], "a test may only be left out by skipif with a reason, where something outside is absent"


def test_nothing_is_downloaded_in_the_clear() -> None:
    open_addresses = [
        place
        for place in places(PLAIN_HTTP, without={ROOT / "LICENSE"})
        if _host(place.split(": ", 1)[1]) not in _NO_DOWNLOAD
    ]
    assert open_addresses == []


def _host(address: str) -> str:
    """The host of an address; a fixture's made-up host under .test, .example or .invalid counts as this machine."""
    host = urlsplit(address).hostname or "127.0.0.1"
    return "localhost" if host.endswith((".test", ".example", ".invalid")) else host


def test_no_secret_file_is_kept() -> None:
    kept = [
        p for p in project_files() if p.suffix in (".pem", ".key", ".sqlite", ".duckdb", ".parquet") or p.name == ".env"
    ]
    assert kept == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pinned_requirement_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    pinned = [entry for entry in entries if not entry.startswith("#")]
    assert len(pinned) > 100
    assert [e.split()[0] for e in pinned if not re.match(r"[\w.\[\]-]+==\S+", e) or "--hash=sha256:" not in e] == []
    assert "://" not in text


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_in_the_lock(lock: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    if lock.stem == "dev":
        wanted += project["dependency-groups"]["dev"]
    if lock.stem == "superset":
        lines = lock.with_suffix(".in").read_text().splitlines()
        wanted = [line for line in lines if line and not line.startswith("#")]
    normal = {re.sub(r"[-_.]+", "-", re.split(r"[<>=\[ ]", name)[0]).lower() for name in wanted}
    locked = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)(?:\[.*\])?==", lock.read_text(), re.M)
    }
    assert sorted(normal - locked) == [], "run `make lock`"


def test_the_patterns_find_what_they_are_for() -> None:
    found = {
        MACHINE_PATH: "see /" + "home/someone/lake",
        REGISTRY: "https://py" + "pi.org/simple",
        CREDIT: "Co-" + "Authored-By: x",
        LEFTOVER: "# TO" + "DO later",
        SKIP: "@pytest.mark." + "skip",
        PLAIN_HTTP: "curl http:" + "//example.com/x",
    }
    assert [pattern.pattern for pattern, text in found.items() if not pattern.search(text)] == []
    assert not SKIP.search("@pytest.mark." + "skipif(x, reason='y')")
    assert not MACHINE_PATH.search("a/home/x")
