"""The project's files and documentation pages as the convention tests read them."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@cache
def project_files() -> tuple[Path, ...]:
    """All files that are, or would be, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(path for name in sorted(set(listed.split("\0"))) if name and (path := ROOT / name).is_file())


@cache
def text_of(path: Path) -> str:
    """The text of a file; empty for one that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def page(name: str) -> str:
    """The text of a page by its path in the project."""
    return text_of(ROOT / name)


def pages() -> list[Path]:
    """All Markdown files."""
    return [path for path in project_files() if path.suffix == ".md"]


def blocks(path: Path, language: str) -> Iterator[str]:
    """The fenced blocks of one language."""
    for match in _BLOCK.finditer(text_of(path)):
        if match[2] == language:
            yield textwrap.dedent(match[3])


def links(path: Path) -> list[str]:
    """The targets of all links and pictures outside of fenced blocks."""
    return _LINK.findall(_BLOCK.sub("", text_of(path)))


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text_of(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def named(text: str) -> set[str]:
    """Everything that a page names as code: `name`."""
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))


def gridlake_calls(path: Path) -> list[list[str]]:
    """The arguments of each call of `gridlake` in the shell blocks of a page."""
    calls = []
    for block in blocks(path, "sh"):
        text = re.sub(r"<<'END'.*?^END$", "", block, flags=re.MULTILINE | re.DOTALL)
        # A placeholder such as <folder> would be a redirection to a shell.
        for line in re.split(r"\n(?=\S)", re.sub(r"<(\w+)>", r"\1", text)):
            words = shlex.split(line, comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words.pop(0)
            if words and words[0] in ("gridlake", ".venv/bin/gridlake"):
                calls.append(words[1:])
    return calls
