"""Start and stop the source systems of the made-up city, and move them on to a later day."""

from __future__ import annotations

import fcntl
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipelines.demo_city import reference as ref
from pipelines.demo_city.generate import Layout, State, advance_files, generate
from pipelines.demo_city.hotline_api import HotlineService
from pipelines.demo_city.permit_db import PermitOffice
from warehouse.errors import GridLakeError
from warehouse.secret_files import secret, write_secret


class AlreadyRunning(RuntimeError):
    """Another process runs the city over the same folder."""


class CityStarting(GridLakeError):
    """Another process is about to run the city."""


@contextmanager
def demo_city(home: Path, seed: int = ref.SEED, port: int = 0) -> Iterator[dict[str, str]]:
    """Run the city's source systems below `home`; yields the environment variables that the lake needs.

    Files are generated only if they are missing. `port` 0 lets the system choose the hotline's port. While the city
    runs, `environment_file` holds the variables too.

    Raises:
        AlreadyRunning: another process runs the city over the same folder.
        RuntimeError: a server does not answer.
        ValueError: the folder holds a city of another seed.
    """
    home = home.expanduser().resolve()
    layout = Layout(home)
    layout.root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_one(layout))
        generate(home, seed)
        office = PermitOffice(layout.root / "permit_office")
        stack.callback(office.stop)
        office.start()
        office.follow(layout.permits, layout.windows)
        token = _token(layout)
        hotline = HotlineService(layout.hotline, token, port)
        stack.callback(hotline.stop)
        hotline.start()
        variables = {
            "GRIDLAKE_DEMO_HOTLINE_URL": hotline.url,
            "GRIDLAKE_DEMO_HOTLINE_TOKEN": token,
            "GRIDLAKE_DEMO_PERMIT_URL": office.url,
            "GRIDLAKE_DATA": str(layout.drops),
        }
        # For a shell (`set -a; . file`); two of them are secrets.
        path = environment_file(home)
        stack.callback(path.unlink, missing_ok=True)
        write_secret(path, "\n".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
        yield variables


@contextmanager
def joined_city(home: Path) -> Iterator[dict[str, str]]:
    """The variables of the city that runs over this folder already, or of one that runs for as long as this lasts.

    Raises:
        CityStarting: another process is about to run it.
        RuntimeError: a server does not answer.
    """
    with ExitStack() as stack:
        try:
            variables = stack.enter_context(demo_city(home))
        except AlreadyRunning as error:
            path = environment_file(home)
            if not path.exists():
                fix = "try again in a moment"
                raise CityStarting(f"{error}, and is not ready yet", where=str(path), fix=fix) from None
            variables = running_variables(home)
        yield variables


def running_variables(home: Path) -> dict[str, str]:
    """The variables of the city that runs over this folder; none where it does not run."""
    try:
        return dict(part.split("=", 1) for part in shlex.split(environment_file(home).read_text()))
    except FileNotFoundError:
        return {}


def advance(home: Path, day: str) -> State:
    """Move the city on to the end of `day` (ISO date, up to 2026-04-30), whether it is being served or not.

    Some open cases close, new cases and permits appear, each patrol platform drops one more file with what changed,
    and the permit office merges two windows on 2026-04-05.

    Raises:
        ValueError: there is no city below `home`, or the day lies before its own or after the last one.
    """
    home = home.expanduser().resolve()
    state = advance_files(home, day)
    layout = Layout(home)
    office = PermitOffice(layout.root / "permit_office")
    if office.is_running:
        office.follow(layout.permits, layout.windows)
    return state


def stop_left_behind(home: Path) -> None:
    """Stop the permit office's server of a `demo_city` that was killed; nothing where none runs."""
    office = PermitOffice(Layout(home.expanduser().resolve()).root / "permit_office")
    if office.is_running:
        office.start()
        office.stop()


def environment_file(home: Path) -> Path:
    """Where the running city leaves its variables, readable by their owner only."""
    return Layout(home.expanduser().resolve()).root / "env"


def _token(layout: Layout) -> str:
    return secret(layout.root / "hotline.token")


@contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """Hold the folder's lock; it goes with the process, however that ends."""
    with (layout.root / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"the made-up city below {layout.home} is already running") from None
        yield
