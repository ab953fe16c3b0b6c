"""Runs benchmarks and prints a table."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final, cast

from . import report
from .harness import Bench, Benchmark, Figure
from .lab import Lab, install_plugin, raise_file_limit

CONNECTION: Final = ("echo", "pipeline", "fanout", "steady", "interactive", "replay", "memory", "idle", "publish")
TERMINALS: Final = ("terminal_echo", "terminal_flood", "terminal_idle", "terminal_share", "terminal_resume", "matrix")
FILES: Final = ("file_upload", "file_upload_far", "file_download", "file_tree", "file_memory", "listing")
CHATS: Final = ("chat_open", "chat_drawn", "chat_search", "chat_generations")
NAMES: Final = (*CONNECTION, *TERMINALS, *FILES, *CHATS)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def run(name: str, rounds: int, folder: Path) -> list[Figure]:
    """Run one benchmark, with processes of its own."""
    module = cast(Benchmark, importlib.import_module(f"{__package__}.{name}"))
    print(f"{name}: {module.TITLE}", file=sys.stderr, flush=True)
    lab = Lab(folder / name)
    try:
        return module.run(Bench(lab, rounds, _say))
    finally:
        lab.close()


def main(arguments: list[str]) -> int:
    """Give the exit code: 1 if a benchmark failed, or with `--check` if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--rounds", type=int, default=5, help="how often to measure what is cheap; at least 5 to count")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--results", type=Path, help="append the table to this Markdown file")
    parser.add_argument("--check", action="store_true", help="fail if a target was missed")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends this ends the servers and loads with it
    about = report.circumstances(arguments, options.rounds)
    figures: dict[str, list[Figure]] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        install_plugin(Path(folder) / "plugin")
        for name in options.names or NAMES:
            try:
                figures[name] = run(name, options.rounds, Path(folder))
            except (RuntimeError, OSError, AssertionError) as error:  # the others are still worth having
                traceback.print_exc()
                failures[name] = f"{type(error).__name__}: {error}"[:200]
    print(report.table(figures, failures))
    if options.json:
        options.json.write_bytes(report.as_json(figures, failures, about))
    if options.results:
        report.append_to(options.results, figures, failures, about)
    missed = [figure for its in figures.values() for figure in its if figure.verdict == "missed"]
    return 1 if failures or (options.check and missed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
