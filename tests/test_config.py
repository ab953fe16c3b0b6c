"""Every setting stands once, with help and a default, and reaches the part that it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from traitlets import Bool, Dict, Float, Integer, List, Unicode
from traitlets.config import Configurable

from jupyter_ws_hub.app import HubApp
from jupyter_ws_hub.config import HubTraits, Settings
from jupyter_ws_hub.protocol.codec import INBOUND_FRAME_BYTES

DEFAULT = Path("/default/hub.sqlite")
TRAITS = sorted(set(HubTraits.class_own_traits()))
OTHER_VALUES: dict[type, Any] = {
    Float: 77.5,
    Integer: 77,
    Bool: None,
    Unicode: "/other",
    List: ["chat"],
    Dict: {"id": "title"},
}


def freeze(**values: Any) -> dict[str, Any]:
    """The settings with these traits, as plain values."""
    traits = HubTraits()
    for name, value in values.items():
        setattr(traits, name, value)
    settings = traits.freeze("the server", DEFAULT)
    assert isinstance(settings, Settings)
    plain: dict[str, Any] = msgspec.to_builtins(settings, enc_hook=str)
    return plain


@pytest.mark.parametrize("name", TRAITS)
def test_every_trait_has_a_help_and_can_be_configured(name: str) -> None:
    trait = HubTraits.class_own_traits()[name]
    assert trait.metadata.get("config") is True
    assert len(trait.help) > 20
    assert trait.help.rstrip().endswith(".")
    assert name in HubApp.class_traits(config=True)


@pytest.mark.parametrize("name", TRAITS)
def test_every_trait_changes_what_is_handed_down(name: str) -> None:
    trait = HubTraits.class_own_traits()[name]
    other = not trait.default_value if isinstance(trait, Bool) else OTHER_VALUES[type(trait)]
    assert freeze(**{name: other}) != freeze()


def test_the_defaults_are_those_of_the_protocol() -> None:
    settings = freeze()
    assert settings["hub"]["max_frame_bytes"] == INBOUND_FRAME_BYTES == 1024 * 1024
    assert settings["hub"]["timing"] == {
        "hello_timeout_s": 10.0,
        "heartbeat_interval_s": 25.0,
        "heartbeat_grace_s": 10.0,
    }
    assert settings["hub"]["server_name"] == "the server"
    assert settings["transfers"]["max_upload_bytes"] == 0
    assert settings["owner"] == "owner"
    assert settings["keep_messages"] is True


@pytest.mark.parametrize(
    ("given", "owner", "is_named"), [("", "owner", False), ("owner", "owner", True), ("alice", "alice", True)]
)
def test_an_owner_is_named_or_has_a_name_for_where_there_are_none(given: str, owner: str, is_named: bool) -> None:
    settings = freeze(owner=given)
    assert (settings["owner"], settings["owner_is_named"]) == (owner, is_named)


def test_the_database_is_the_default_s_unless_it_is_named() -> None:
    assert freeze()["database_path"] == str(DEFAULT)
    assert freeze(database="/else/where.sqlite")["database_path"] == "/else/where.sqlite"


def test_settings_are_frozen() -> None:
    settings = HubTraits().freeze("the server", DEFAULT)
    with pytest.raises(AttributeError):
        settings.owner = "somebody"  # type: ignore[misc]  # that is what is tested


def test_the_traits_are_hubapp_s_in_a_configuration_file() -> None:
    assert issubclass(HubApp, HubTraits)
    assert issubclass(HubApp, Configurable)
    assert HubApp.name == "jupyter_ws_hub"
