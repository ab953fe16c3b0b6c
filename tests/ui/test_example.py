"""An extension of another package beside ours, in a real JupyterLab: both of its halves, found by what they declare."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..support.client import Address, HubClient
from ..support.example import install
from ..support.server import RealServer
from .conftest import Opener, Window, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(120)]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The example with its browser half, built here; the environment in which JupyterLab finds it."""
    return install(tmp_path_factory.mktemp("example"), browser_half=True)


async def run_command(window: Window, label: str) -> None:
    """Choose a command in the palette, which closes when it loses the focus."""
    await window.at_rest()
    await window.page.keyboard.press("Control+Shift+C")
    await window.page.fill(".lm-CommandPalette-input", label)
    await window.page.click(f'.lm-CommandPalette-item:has-text("{label}")')


async def sees(window: Window, *lines: tuple[str, str]) -> None:
    """Wait until the example shows exactly these lines."""
    await window.page.wait_for_function(
        """lines => JSON.stringify(
             [...document.querySelectorAll('.jp-WsHubExample > div')].map(one => [one.dataset.what, one.textContent])
           ) === JSON.stringify(lines)""",
        arg=[list(line) for line in lines],
        timeout=20_000,
    )


async def test_it_shows_an_answer_the_items_of_a_stream_and_events_also_those_that_it_was_away_for(
    start_server: Callable[..., RealServer], open_window: Opener, installed: dict[str, str]
) -> None:
    lab = start_server(program="lab", prepare=quiet_lab, environment=installed)
    window = await open_window(lab)
    await run_command(window, "Open the Hub Example")
    shown = [
        ("greeting", "Hello world!"),
        *(("number", str(number)) for number in range(1, 6)),
        ("tick", "counted"),
    ]
    await sees(window, *shown)
    window.lose_network()
    async with HubClient(Address.of(lab)) as client:
        await client.request("example.tick", {"note": "missed"})
        window.proxy.flow()
        await sees(window, *shown, ("tick", "missed"))
        await client.request("example.tick", {"note": "seen"})
    await sees(window, *shown, ("tick", "missed"), ("tick", "seen"))
    await window.screenshot("example")
    assert window.errors == []
