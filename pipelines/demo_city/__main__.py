"""Run the made-up city from the command line: `python -m pipelines.demo_city generate | serve | advance`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from pipelines.demo_city import reference as ref
from pipelines.demo_city.generate import Layout, State, generate
from pipelines.demo_city.servers import advance, demo_city, environment_file


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 done, 1 refused (the message says why)."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.demo_city", description=__doc__)
    default = Path(os.environ.get("GRIDLAKE_HOME") or ".gridlake/demo")
    parser.add_argument("--home", type=Path, default=default, help="folder of the lake (default: %(default)s)")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("generate", "write the files"), ("serve", "run the source systems until a signal comes")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--seed", type=int, default=ref.SEED)
        if name == "serve":
            command.add_argument("--port", type=int, default=0, help="port of the hotline's service (0: any)")
    commands.add_parser("advance", help="move on to a later day").add_argument("day", help="ISO date")
    options = parser.parse_args(arguments)
    try:
        if options.command == "generate":
            _report(generate(options.home.expanduser().resolve(), options.seed))
        elif options.command == "advance":
            _report(advance(options.home, options.day))
        else:
            _serve(options.home, options.seed, options.port)
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _report(state: State) -> None:
    _say(f"made-up city {ref.CITY[1]} ({ref.CITY[2]}), seed {state.seed}, as of {state.as_of}")
    for dataset, rows in state.rows.items():
        _say(f"{dataset:24} {rows:7}")


def _say(line: str) -> None:
    # Flushed: whoever started the servers waits for these lines.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _serve(home: Path, seed: int, port: int) -> None:
    """Announce the addresses (never the secrets) and wait for SIGTERM or SIGINT."""
    # Blocked before any thread starts, so that no thread but this one takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with demo_city(home, seed, port) as variables:
        _say(f"hotline  {variables['GRIDLAKE_DEMO_HOTLINE_URL']}")
        _say(f"files    {Layout(home.expanduser().resolve()).drops}")
        _say(f"settings {environment_file(home)}")
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    sys.exit(main())
