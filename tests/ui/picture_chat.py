"""Takes the README's picture of the chat, from a real JupyterLab with the local model.

`python -m tests.ui.picture_chat`
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..support.server import RealServer
from .chat import enter, say
from .conftest import Opener, executable
from .picture import photograph

TARGET = Path(__file__).parents[2] / "labextension" / "docs" / "chat.png"
ANSWER = "text=/tokens in/"


async def _take(server: RealServer) -> None:
    opener = Opener(executable())
    try:
        other, window = await opener(server), await opener(server)
        await window.page.set_viewport_size({"width": 1100, "height": 720})
        await enter(other)
        await enter(window)
        await say(other, "Does anybody know how to read a CSV file with pandas?")
        await asyncio.sleep(1)
        await say(window, "Let us ask: @local how do I read a CSV file with pandas? Answer in one line of code.")
        await window.page.wait_for_selector(ANSWER, timeout=120_000)
        await window.page.mouse.move(600, 300)
        handle = window.page.locator("#jp-main-split-panel > .lm-SplitPanel-handle:not(.lm-mod-hidden)").last
        box = await handle.bounding_box()
        assert box is not None
        await window.page.mouse.move(box["x"] + 2, box["y"] + 300)
        await window.page.mouse.down()
        await window.page.mouse.move(box["x"] - 220, box["y"] + 300, steps=5)
        await window.page.mouse.up()
        await asyncio.sleep(1)
        await window.page.screenshot(path=TARGET)
    finally:
        await opener.close()


if __name__ == "__main__":
    photograph(_take, "c.HubApp.assistants = ['local']")
