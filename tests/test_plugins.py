"""What other packages add is loaded, and what is broken is named in the log and left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ws_hub.plugins import load_plugins

from .support.plugin import Install, installing

GROUP = "jupyter_ws_hub.test_plugins"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one module and one entry point on the path."""
    yield from installing(GROUP, "THING", "fake_thing", tmp_path, monkeypatch)


def test_what_is_broken_does_not_keep_the_others_out(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install("THING = 42")
    install("raise RuntimeError('broken')", module="fake_broken")
    install("OTHER = 1", module="fake_other")
    assert list(load_plugins(GROUP, "thing", logging.getLogger("test"))) == [("fake_thing (fake_thing:THING)", 42)]
    broken, missing = sorted(record.getMessage() for record in caplog.records)
    assert broken == "The thing fake_broken (fake_broken:THING) cannot be loaded."
    assert missing == "The thing fake_other (fake_other:THING) cannot be loaded."
    assert all(record.exc_info for record in caplog.records)


def test_where_nothing_is_added_there_is_nothing() -> None:
    assert list(load_plugins(GROUP, "thing", logging.getLogger("test"))) == []
