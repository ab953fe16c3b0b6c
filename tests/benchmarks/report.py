"""The outcome of a run: as a table, as JSON, and with what one must know to believe it."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .harness import Figure
from .lab import ROOT

LIBRARIES = ("tornado", "jupyter_server", "msgspec", "websockets")


def number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _target(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    limit = number(figure.bar.limit)
    what = {"value": figure.unit, "ratio": "times", "difference": f"{figure.unit} more"}[figure.bar.of]
    return f"{figure.bar.sign} {limit} {what}"


def table(figures: Mapping[str, Sequence[Figure]], failures: Mapping[str, str]) -> str:
    """A Markdown table: medians, with the least and the greatest of ours in brackets."""
    rows = [
        "| benchmark | what | ours | peer | ratio | target | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, its in figures.items():
        for figure in its:
            ours = f"{number(figure.value)} {figure.unit} ({number(min(figure.ours))} to {number(max(figure.ours))})"
            peer = ratio = ""
            if figure.ratio is not None:
                peer = f"{figure.peer}: {number(statistics.median(figure.theirs))}"
                ratio = f"{figure.ratio:.2f}"
            what = f"{figure.what}; {figure.note}" if figure.note else figure.what
            rows.append(f"| {name} | {what} | {ours} | {peer} | {ratio} | {_target(figure)} | {figure.verdict} |")
    rows += [f"| {name} | {reason.replace('|', '/')} | | | | | failed |" for name, reason in failures.items()]
    return "\n".join(rows)


def circumstances(arguments: Sequence[str], rounds: int) -> dict[str, Any]:
    """When, what, how and where."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True).stdout.strip()
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit + (" with changes" if changed else ""),
        "command": " ".join(["python -m tests.benchmarks", *arguments]),
        "rounds": rounds,
        "machine": f"{os.cpu_count()} cores ({model[0].partition(': ')[2] if model else platform.machine()}), "
        f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
        **{library: importlib.metadata.version(library) for library in LIBRARIES},
    }


def as_json(figures: Mapping[str, Sequence[Figure]], failures: Mapping[str, str], about: Mapping[str, Any]) -> bytes:
    """All figures of all rounds."""
    results = [
        {"benchmark": name, **msgspec.to_builtins(figure), "median": figure.value, "verdict": figure.verdict}
        for name, its in figures.items()
        for figure in its
    ]
    return msgspec.json.format(
        msgspec.json.encode({"about": about, "results": results, "failures": failures}), indent=1
    )


def append_to(
    path: Path, figures: Mapping[str, Sequence[Figure]], failures: Mapping[str, str], about: Mapping[str, Any]
) -> None:
    """Add this run at the end of a Markdown file."""
    lines = "\n".join(f"- {name}: {value}" for name, value in about.items() if name != "date")
    with path.open("a") as file:
        file.write(f"\n## {about['date']}\n\n{lines}\n\n{table(figures, failures)}\n")
