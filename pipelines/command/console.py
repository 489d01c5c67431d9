"""How commands speak: results on standard output, progress and errors beside it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from catalog.city import refuse_unknown_city
from warehouse.errors import GridLakeError
from warehouse.lake.storage import explained
from warehouse.settings import Settings, load_settings

# Without a terminal the width is unknown, and a table cut to 80 columns would lose its figures.
_WIDTH = None if sys.stdout.isatty() else 160
out = Console(width=_WIDTH)
err = Console(stderr=True, width=_WIDTH)


@contextmanager
def told() -> Iterator[None]:
    """Show an error as one message instead of a traceback, and end with status 1."""
    try:
        yield
    except GridLakeError as error:
        _show(error)
        raise typer.Exit(1) from None
    except typer.Exit:
        raise
    except Exception as error:
        # A full disk or a damaged catalogue may be met first by Dagster or SQLite, in words of their own.
        trouble = explained(error)
        if trouble is None:
            raise
        _show(trouble)
        raise typer.Exit(1) from None


def _show(error: GridLakeError) -> None:
    err.print(str(error), style="red", markup=False, soft_wrap=True)


def city_settings() -> Settings:
    """The settings of a city that there is.

    Raises:
        SettingsError: a setting is unknown or bad.
        CityError: nothing is known of the city.
    """
    settings = load_settings()
    refuse_unknown_city(settings.city_path)
    return settings


def show_progress() -> None:
    """Print what the work says about itself to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("gridlake")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
