"""The asset graph of each city as text, one line an asset: `key -> group <- upstream keys`.

Run as a script it renews `asset_graph_<city>.txt`, which the test compares with; review the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from catalog.city import shipped

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ".venv/bin/python tests/conventions/asset_graph.py"
CITIES = shipped()
_PRINT = """
from pipelines.definitions import defs
graph = defs.resolve_asset_graph()
for key in sorted(graph.get_all_asset_keys(), key=lambda key: key.path):
    node = graph.get(key)
    upstream = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
    print(f"{key.to_user_string()} -> {node.group_name} <- {upstream}".rstrip(" <-"))
"""


def snapshot(city: str) -> Path:
    """The kept graph of a city."""
    return Path(__file__).with_name(f"asset_graph_{city}.txt")


def environment(city: str, home: Path) -> dict[str, str]:
    """The environment of a process that looks at one city and touches no lake of the project."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GRIDLAKE_")}
    return {**clean, "GRIDLAKE_CITY": city, "GRIDLAKE_HOME": str(home)}


def asset_graph(city: str, home: Path) -> str:
    """The graph as Dagster sees it now; dbt's manifest is looked up, or made, in the home."""
    done = subprocess.run(
        [sys.executable, "-c", _PRINT],
        env=environment(city, home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    return done.stdout


if __name__ == "__main__":
    for name in CITIES:
        with tempfile.TemporaryDirectory() as folder:
            snapshot(name).write_text(asset_graph(name, Path(folder)), encoding="utf-8")
        sys.stdout.write(f"{snapshot(name).relative_to(ROOT)} written\n")
