"""What assistants of other packages get from the base class."""

from __future__ import annotations

from traitlets.config import Config, Configurable

from jupyter_ws_hub.assistants.base import BaseAssistant


class Parrot(BaseAssistant):
    """Repeats."""


async def test_it_is_configured_by_the_name_of_its_class_and_made_once() -> None:
    parent = Configurable(config=Config({"Parrot": {"name": "polly", "display_name": "Polly"}}))
    (parrot,) = Parrot.make(parent)
    assert (parrot.name, parrot.display_name) == ("polly", "Polly")
    await parrot.start()
    await parrot.stop()


def test_every_trait_has_a_help() -> None:
    for trait in BaseAssistant.class_own_traits(config=True).values():
        assert trait.help.rstrip().endswith(".")
