"""Which services a server has: the package's own, those of other packages, without the broken and the disabled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ws_hub.services import ENTRY_POINTS, discover

from ..support.plugin import Install, installing

LOGGER = logging.getLogger("test.discover")
OWN = ["assistants", "chat", "files", "notifications", "status", "transfers"]
ASKED_BY_PAGES = {
    "assistants.list": "a page asks at its start",
    "chat.history": "a page shows what was said",
    "chat.message": "a page repairs what it has missed",
    "chat.presence": "a page says so as long as it shows a room",
    "chat.read": "a page marks what it shows, also when nobody looks",
    "chat.rooms": "a page asks at its start",
    "files.checkpoints": "an editor asks for them by itself",
    "files.list": "a file browser asks every few seconds",
    "files.page": "a file browser asks while it shows a directory",
    "files.stat": "an editor asks whether the file has changed",
    "notifications.list": "a page asks at its start",
    "notifications.read": "a panel marks what it shows, also when nobody looks",
    "status.get": "a page asks at its start",
    "transfers.list": "a page asks at its start",
}
"""Methods that pages call by themselves, and when: these must not keep an idle server alive."""
SERVICE = '''
from jupyter_ws_hub.services.base import Service

class Weather(Service):
    """A foreign service."""
    name = "weather"
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one module and one entry point on the path."""
    yield from installing(ENTRY_POINTS, "Weather", "fake_weather", tmp_path, monkeypatch)


def names(disabled: list[str] | None = None) -> list[str]:
    """The names of the services that are found."""
    return [service.name for service in discover(LOGGER, disabled or [])]


def test_what_pages_ask_by_themselves_is_no_activity_and_all_else_is() -> None:
    methods = [method for service in discover(LOGGER, own_only=True) for method in service.methods()]
    assert {method.name for method in methods if not method.activity} == set(ASKED_BY_PAGES)


def test_the_packages_own_services_are_found_sorted_by_name() -> None:
    services = discover(LOGGER, own_only=True)
    assert [service.name for service in services] == OWN
    assert all(type(service).__doc__ for service in services)


def test_a_disabled_service_is_left_out_and_of_one_that_is_none_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    assert names(["chat", "status", "cat"]) == ["assistants", "files", "notifications", "transfers"]
    assert caplog.messages == ["There is no service 'cat' that could be disabled."]


def test_each_call_makes_services_of_its_own() -> None:
    assert not set(map(id, discover(LOGGER))) & set(map(id, discover(LOGGER)))


def test_a_service_of_another_package_is_found(install: Install) -> None:
    install(SERVICE)
    assert names() == sorted([*OWN, "weather"])
    assert names(["weather"]) == OWN
    assert [service.name for service in discover(LOGGER, own_only=True)] == OWN


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (SERVICE, "Missing"),
        ("raise RuntimeError('broken')", "Weather"),
        ("import no_such_module_anywhere", "Weather"),
        ("def (", "Weather"),
        ("Weather = 'no class'", "Weather"),
        ("class Weather: name = 'weather'", "Weather"),
        (SERVICE + "    def __init__(self):\n        raise RuntimeError('broken')\n", "Weather"),
        (SERVICE.replace('name = "weather"', "pass"), "Weather"),
    ],
    ids=[
        "no such attribute",
        "raises at import",
        "imports what is not there",
        "no Python",
        "no class",
        "no service",
        "cannot be made",
        "has no name",
    ],
)
def test_a_broken_service_is_logged_and_left_out(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, target: str
) -> None:
    install(source, target)
    install(SERVICE.replace("weather", "health"), "Weather", "fake_health")
    assert names() == sorted([*OWN, "health"])
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "fake_weather" in record.getMessage()


def test_a_name_that_is_taken_is_logged_and_the_packages_own_service_counts(
    install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    install(SERVICE.replace('"weather"', '"chat"'))
    assert names() == OWN
    (chat,) = [service for service in discover(LOGGER) if service.name == "chat"]
    assert type(chat).__module__ == "jupyter_ws_hub.services.chat"
    assert all("fake_weather" in record.getMessage() for record in caplog.records)
    assert len(caplog.records) == 2
