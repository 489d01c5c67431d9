"""YAML as a person means it, for files that are full of codes and names of columns.

YAML 1.1, which the library reads, takes `no` and `on` for false and true, `0101` for 65 and `12:30` for 750, and of a
key that is written twice it keeps the last. Here only `true` and `false` are truth, a number has no leading zero, and a
key that stands twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

_OURS = {
    "tag:yaml.org,2002:bool": (r"true|false", "tf"),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "tag:yaml.org,2002:float": (r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
}


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with our words for truth and numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            named = (key.tag, str(key.value))
            if named in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is written twice", key.start_mark
                )
            seen.add(named)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OURS]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
for _tag, (_pattern, _first) in _OURS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))


def read_yaml(text: str) -> Any:
    """The document.

    Raises:
        yaml.YAMLError: it is none, or a key stands twice in one mapping.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader


YAML_FIX = (
    "write it as YAML in UTF-8: `key: value`, blanks and no tabs before a key, quotes around what holds `: ` or `#`"
)


def problem_of(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """What is wrong and in which line, without the text around it, in which a secret may stand."""
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8"
    mark = getattr(error, "problem_mark", None)
    place = f" in line {mark.line + 1}" if mark else ""
    return f"is not readable YAML{place}: {getattr(error, 'problem', None) or 'not to be understood'}"
