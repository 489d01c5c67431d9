"""Two hosts that land into one lake: homes of their own, one PostgreSQL catalogue, one data folder."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from warehouse.lake.session import open_lake
from warehouse.settings import PROJECT_ROOT, Settings

# What one host does: for each number a file of its own, and one that both find; it tells each number that landed.
_HOST = """
import sys
from contextlib import suppress
from pathlib import Path
from tests.unit.pipelines.landing.landings import files
from warehouse.settings import Settings

settings, root, me = Settings.model_validate_json(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
own, shared = files(settings, root / me), files(settings, root / "both")

def drop(place, name, row):
    draft = place.root / f".{me}.draft"
    draft.write_text(f"order_no,amount\\n{row},1\\n")
    with suppress(FileExistsError):
        (place.root / name).hardlink_to(draft)
    draft.unlink()

for number in range(int(sys.argv[4]), int(sys.argv[5])):
    drop(own, f"{me}{number}.csv", f"{me}-{number}")
    drop(shared, f"both{number}.csv", f"both-{number}")
    for place in (own, shared):
        result = place.land()
        assert not result.refusals, result.refusals
    print(number, flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What the lake holds after a race: rows that are missing or stand twice, and numbers that two landings took."""

    lost: int
    doubled: int
    shared_numbers: int
    kills: int


def second_host(settings: Settings, home: Path) -> Settings:
    """Another home over the same catalogue and, by a link, the same data folder."""
    home.mkdir()
    data = settings.home_path / "data"
    data.mkdir(parents=True, exist_ok=True)
    (home / "data").symlink_to(data)
    return settings.model_copy(update={"home": home})


def race(settings: Settings, folder: Path, landings: int, kills: int, seed: int) -> Outcome:
    """Let two hosts land `landings` times each, with as many kills of each host, and judge what the lake holds."""
    rng = random.Random(seed)  # noqa: S311  chance, not secrecy
    hosts = {"a": settings, "b": second_host(settings, folder / "other")}
    # After which landing each host is killed, wherever it is in the next one.
    dies = {me: sorted(rng.sample(range(landings - 1), kills)) for me in hosts}
    running = {me: _start(host, folder, me, 0, landings) for me, host in hosts.items()}
    told = dict.fromkeys(hosts, -1)
    killed = 0
    try:
        while running:
            for me, process in list(running.items()):
                assert process.stdout is not None
                said = process.stdout.readline()
                if said:
                    if not said.strip():
                        continue
                    told[me] = int(said)
                    if not dies[me] or told[me] < dies[me][0]:
                        continue
                    dies[me].pop(0)
                    process.kill()
                    process.communicate()
                    killed += 1
                    running[me] = _start(hosts[me], folder, me, told[me] + 1, landings)
                    continue
                err = process.communicate()[1]
                assert process.returncode == 0, err
                del running[me]
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    assert set(told.values()) == {landings - 1}
    return _outcome(settings, landings, killed)


def _start(host: Settings, folder: Path, me: str, first: int, end: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOST, host.model_dump_json(), str(folder), me, str(first), str(end)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _outcome(settings: Settings, landings: int, kills: int) -> Outcome:
    wanted = {f"{name}-{number}" for name in ("a", "b", "both") for number in range(landings)}
    with open_lake(settings, read_only=True) as lake:
        rows = dict(lake.execute("SELECT order_no, count(*) FROM lake.raw.orders GROUP BY order_no").fetchall())
        ((deliveries, distinct),) = lake.execute(
            "SELECT count(*), count(DISTINCT delivery_id) FROM lake.ops.load"
        ).fetchall()
        # One landing transaction has one moment.
        ((numbers,),) = lake.execute(
            "SELECT count(*) FROM (FROM lake.ops.load SELECT load_seq GROUP BY load_seq"
            " HAVING count(DISTINCT loaded_at) > 1)"
        ).fetchall()
    doubled = sum(count > 1 for count in rows.values()) + deliveries - distinct
    return Outcome(len(wanted - rows.keys()), doubled, numbers, kills)
