"""Which assistants a server has: those that are configured, of this package and of others, without the broken."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config, Configurable

from jupyter_ws_hub.assistants.discovery import ENTRY_POINTS, discover, model_pids
from jupyter_ws_hub.assistants.local import LocalAssistant
from jupyter_ws_hub.assistants.openai import OpenAIAssistant

from ..support.plugin import Install, installing

LOGGER = logging.getLogger("test.discover")
PARROT = '''
from traitlets import Unicode
from traitlets.config import LoggingConfigurable
from jupyter_ws_hub.chat.assistant import AssistantInfo, Delta, Done

class Parrot(LoggingConfigurable):
    """A foreign assistant that knows nothing of our base class."""
    word = Unicode("hello").tag(config=True)
    def info(self):
        return AssistantInfo("parrot", "Parrot", self.word, [self.word], True)
    async def stream(self, turns, ask):
        yield Delta(self.word)
        yield Done()
    async def start(self):
        pass
    async def stop(self):
        pass
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution with one module and one entry point on the path."""
    yield from installing(ENTRY_POINTS, "Parrot", "fake_parrot", tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be one here, or not."""
    monkeypatch.setattr(LocalAssistant, "make", lambda parent: [])


def parent(**classes: Any) -> Configurable:
    """Has a configuration in which OpenAI is set up."""
    openai = {"base_url": "http://x/v1", "endpoints": [{"name": "lab", "base_url": "http://lab/v1"}]}
    return Configurable(config=Config({"OpenAIAssistant": openai, **classes}))


def names(*wanted: str) -> list[str]:
    return list(discover(parent(), LOGGER, wanted or ("*",)))


def test_without_a_configuration_there_is_none() -> None:
    assert not [a for a in discover(Configurable(), LOGGER).values() if isinstance(a, OpenAIAssistant)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["*"], ["openai", "lab"]),
        (["lab", "*"], ["lab", "openai"]),
        (["*", "openai"], ["lab", "openai"]),
        (["lab"], ["lab"]),
        (["lab", "nowhere"], ["lab"]),
    ],
)
def test_the_default_one_comes_first_and_only_those_are_on_that_are_wanted(wanted: list[str], found: list[str]) -> None:
    assert names(*wanted) == found


def test_none_may_be_wanted() -> None:
    assert discover(parent(), LOGGER, []) == {}


async def test_one_of_another_package_is_found_and_configured(install: Install) -> None:
    install(PARROT)
    found = discover(parent(Parrot={"word": "hi"}), LOGGER)
    assert list(found) == ["openai", "lab", "parrot"]
    assert found["parrot"].info().models == ["hi"]


def test_a_class_may_make_several_or_none(install: Install) -> None:
    more = "    @classmethod\n    def make(cls, parent):\n        return [cls(parent=parent)] * COUNT\n"
    install((PARROT + more).replace("COUNT", "0"))
    assert names() == ["openai", "lab"]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (PARROT, "Missing"),
        ("raise RuntimeError('broken')", "Parrot"),
        ("import no_such_module_anywhere", "Parrot"),
        ("def (", "Parrot"),
        ("Parrot = 'no class'", "Parrot"),
        (PARROT.replace('"parrot"', '"Parrot!"'), "Parrot"),
        (PARROT.replace('"parrot"', '""'), "Parrot"),
        (PARROT.replace('"parrot"', "3"), "Parrot"),
        (PARROT.replace('"parrot"', '"lab"'), "Parrot"),
        (PARROT.replace("async def stop", "async def halt"), "Parrot"),
        (PARROT + "    def __init__(self, **more):\n        raise RuntimeError('broken')\n", "Parrot"),
    ],
)
def test_a_broken_one_is_logged_and_left_out(
    install: Install, caplog: pytest.LogCaptureFixture, source: str, target: str
) -> None:
    install(source, target)
    install(PARROT.replace('"parrot"', '"other"'), "Parrot", "fake_other")
    assert sorted(names()) == ["lab", "openai", "other"]
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


def test_a_wrong_setting_is_logged_and_the_others_go_on(install: Install, caplog: pytest.LogCaptureFixture) -> None:
    install(PARROT)
    assert "parrot" in discover(parent(OpenAIAssistant={"base_url": "ftp://x"}), LOGGER)
    assert "OpenAIAssistant" in caplog.text


def test_models_that_run_here_are_known_by_their_processes(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(PARROT)
    assistants = discover(parent(), LOGGER)
    assert model_pids(assistants) == []
    monkeypatch.setattr(LocalAssistant, "pid", 4711)
    assert model_pids({**assistants, "local": LocalAssistant()}) == [4711]
