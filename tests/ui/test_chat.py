"""The chat in real JupyterLab windows: people talk, an assistant answers, and no message makes a request."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from ..support.address import Address
from ..support.assistants import Puppet
from ..support.client import HubClient
from ..support.plugin import installed
from ..support.server import RealServer
from .axe import serious_violations, set_theme
from .chat import CHAT, MEASURE, NO_LIMITS, TEXTS, enter, fill, say, sees, settled, texts
from .conftest import Opener, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(240)]

MANY = 10_000
CODE = "```python\nprint('a long line of code that has to be scrolled')\n```"
EVIL = "http://127.0.0.1:9/evil"
PAYLOADS = f"""![markdown]({EVIL}/1.png) ![reference][r] <img src="{EVIL}/2.png"> <img srcset="{EVIL}/3.png 1x">
<picture><source srcset="{EVIL}/4.png"><img src="{EVIL}/5.png"></picture> <video poster="{EVIL}/6.png"></video>
<link rel="stylesheet" href="{EVIL}/7.css"> <svg><image href="{EVIL}/8.png"/></svg> <iframe src="{EVIL}/9"></iframe>
<span style="background-image: url({EVIL}/10.png)">styled</span>
<ul style="list-style-image: url({EVIL}/11.png)"><li>x</ul>
<input type="image" src="{EVIL}/12.png"> <audio src="{EVIL}/13.mp3" autoplay></audio> <object data="{EVIL}/14"></object>
<style>body {{ background: url({EVIL}/15.png) }}</style> <img src="/api/status?evil">
<table background="{EVIL}/16.png"></table>

$\\style{{background-image: url({EVIL}/17.png)}}{{x}} \\bbox[border: 1px solid; background: url({EVIL}/18.png)]{{y}}$

```mermaid
flowchart LR
  A@{{ img: "{EVIL}/19.png", label: "x", h: 60 }}
  style A fill:url({EVIL}/20.png)
```

> ```mermaid
> flowchart LR
>   B@{{ img: "{EVIL}/21.png", label: "x", h: 60 }}
> ```

[r]: {EVIL}/22.png

the end"""


@pytest.fixture
def lab(start_server: Callable[..., RealServer], tmp_path: Path) -> Iterator[RealServer]:
    """A real JupyterLab with a puppet that answers."""
    with installed(tmp_path / "plugin", assistants={Puppet.name: Puppet}):
        yield start_server(
            program="lab", prepare=quiet_lab, config=f"c.LabApp.expose_app_in_browser = True\n{NO_LIMITS}"
        )


async def test_two_people_talk_and_one_who_was_offline_has_everything_once(
    lab: RealServer, open_window: Opener
) -> None:
    alice, bob = await open_window(lab), await open_window(lab)
    await enter(alice)
    await enter(bob)
    await say(alice, "hello")
    await sees(bob, ["hello"])
    bob.lose_network()
    await say(alice, "missed")
    await settled(alice, "sent", 2)
    await bob.page.wait_for_selector(".jp-WsHub-chatConnection[data-state=reconnecting]")
    await say(bob, "said while away")
    await say(bob, "and after")
    await bob.page.wait_for_selector(".jp-WsHub-footerState[data-state=sending]")
    assert await texts(bob) == ["hello", "said while away", "and after"]
    await bob.screenshot("chat-offline")
    bob.proxy.flow()
    everything = ["hello", "missed", "said while away", "and after"]
    await sees(bob, everything, 40)
    await sees(alice, everything)
    await bob.page.reload()
    await enter(bob)
    await sees(bob, everything)
    assert await bob.page.locator(".jp-Dialog").count() == 0
    assert alice.errors == bob.errors == []


async def test_an_answer_streams_in_both_windows_and_is_stopped_in_one(lab: RealServer, open_window: Opener) -> None:
    alice, bob = await open_window(lab), await open_window(lab)
    await enter(alice)
    await enter(bob)
    await say(alice, "@puppet words=2000 pause=0.02")
    for window in (alice, bob):
        await window.page.wait_for_function(
            "() => document.querySelector('.jp-WsHub-stream')?.innerText.includes('word9')"
        )
    await alice.screenshot("chat-streaming")
    await alice.page.get_by_label("Stop the answer").click()
    for window in (alice, bob):
        await settled(window, "stopped")
        await window.page.wait_for_selector(".jp-WsHub-stream", state="detached")
    assert (await texts(alice))[1] == (await texts(bob))[1] != ""
    await alice.page.get_by_role("button", name="Ask again").click()
    await settled(bob, "writing")
    await alice.page.get_by_label("Stop the answer").click()
    await settled(bob, "stopped", 2)
    assert alice.errors == bob.errors == []


async def test_a_message_asks_nobody_for_anything(lab: RealServer, open_window: Opener) -> None:
    alice = await open_window(lab)
    await enter(alice)
    asked: list[str] = []
    alice.page.on("request", lambda request: asked.append(request.url))
    await say(alice, PAYLOADS)
    await alice.page.wait_for_function(f"() => ({TEXTS})()[0]?.includes('the end')")
    await settled(alice, "sent")
    await alice.page.wait_for_timeout(1500)
    assert [url for url in asked if "evil" in url] == []
    await alice.screenshot("chat-images")
    links = alice.page.locator(".jp-chat-message a[href]")
    assert await links.count() > 5
    for link in await links.all():
        assert await link.get_attribute("target") == "_blank"
        assert "noopener" in (await link.get_attribute("rel") or "")
    assert alice.errors == []


async def test_nobody_is_kept_out_in_light_and_dark(lab: RealServer, open_window: Opener) -> None:
    alice, bob = await open_window(lab), await open_window(lab)
    await enter(alice)
    await enter(bob)
    await say(
        bob, "Look at this, @puppet words=30:\n\n```python\nprint('a long line of code that has to be scrolled')\n```"
    )
    await settled(alice, "done")
    await say(alice, "Thank you, see [this](https://example.org)")
    await settled(alice, "sent", 2)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        await set_theme(alice.page, theme)
        assert await serious_violations(alice.page, f"#{CHAT}") == []
        await alice.screenshot(f"chat-{theme.split()[1].lower()}")
        await alice.page.get_by_label("All rooms").click()
        assert await serious_violations(alice.page, f"#{CHAT}") == []
        await alice.screenshot(f"chat-rooms-{theme.split()[1].lower()}")
        await alice.page.locator('.jp-WsHub-roomRow[data-room="general"]').click()
    assert alice.errors == bob.errors == []


async def test_a_piece_of_an_answer_is_soon_in_the_page(lab: RealServer, open_window: Opener) -> None:
    alice = await open_window(lab)
    await enter(alice)
    await alice.page.evaluate(MEASURE)
    await say(alice, "@puppet words=200 pause=0.02 stamp=1")
    await settled(alice, "done")
    late: list[float] = await alice.page.evaluate("window.seenAt")
    assert len(late) > 100
    print(f"delta to DOM: p50 {statistics.median(late):.0f} ms, p95 {statistics.quantiles(late, n=20)[18]:.0f} ms")


OPENED = """() => {
  window.openedAt = [];
  const began = performance.now();
  const look = () => {
    const messages = document.querySelectorAll('.jp-WsHub-chat .jp-chat-rendered-message p');
    if (messages.length >= 100 && window.openedAt.length === 0) {
      window.openedAt.push(performance.now() - began);
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  window.jupyterapp.shell.activateById('jupyter-ws-hub-chat');
}"""
PLACE = """() => {
  const node = document.querySelector('.jp-WsHub-room [role=log]');
  const top = node.getBoundingClientRect().top;
  const first = [...document.querySelectorAll('.jp-chat-message')].find(
    message => message.getBoundingClientRect().bottom > top
  );
  return [first.innerText, Math.round(first.getBoundingClientRect().top - top)];
}"""
LOG = ".jp-WsHub-room [role=log]"
REST = "n.scrollHeight - n.clientHeight - n.scrollTop"


async def place(page: Page) -> list[str | int]:
    """Which message is the first that is seen, and where, once nothing moves any more."""
    before: list[str | int] = []
    for _ in range(100):
        now: list[str | int] = await page.evaluate(PLACE)
        if now == before:
            return now
        before = now
        await asyncio.sleep(0.1)
    raise AssertionError(f"it moves still: {before}")


async def test_a_room_of_ten_thousand_opens_at_its_end_and_what_is_read_stays_in_place(
    lab: RealServer, open_window: Opener
) -> None:
    async with HubClient(Address.of(lab)) as bob:
        await fill(bob, MANY)
    alice = await open_window(lab)
    page = alice.page
    await page.wait_for_selector(f".lm-TabBar-tab[data-id={CHAT}].jp-WsHub-unreadTab")
    await page.evaluate(OPENED)
    await page.wait_for_function("() => window.openedAt.length > 0")
    print(f"a room of {MANY} messages was open after {(await page.evaluate('window.openedAt'))[0]:.0f} ms")
    assert await page.locator(".jp-chat-message").count() == 50
    end = f"() => {{ const n = document.querySelector('{LOG}'); return {REST} < 2; }}"
    await page.wait_for_function(end)
    assert (await texts(alice))[-1].startswith(f"message {MANY - 1}")
    await page.wait_for_selector(f".lm-TabBar-tab[data-id={CHAT}]:not(.jp-WsHub-unreadTab)")
    await page.hover(LOG)
    await page.mouse.wheel(0, -2500)
    await page.wait_for_selector(".jp-WsHub-toEnd")
    before = await place(page)
    await fill_more(lab)
    await page.wait_for_function("() => document.querySelectorAll('.jp-chat-message').length >= 52")
    assert await place(page) == before
    await page.evaluate(f"() => {{ document.querySelector('{LOG}').scrollTop = 100; }}")
    await page.wait_for_function("() => document.querySelectorAll('.jp-chat-message').length >= 100")
    await page.wait_for_function(f"() => document.querySelector('{LOG}').scrollTop > 1000")
    await page.locator(".jp-WsHub-toEnd").click()
    await page.wait_for_function(end)
    assert alice.errors == []


async def fill_more(server: RealServer) -> None:
    """Let somebody say two things more."""
    async with HubClient(Address.of(server)) as client:
        for n in range(2):
            await client.request("chat.post", {"room": "general", "id": f"more{n}", "text": f"more {n}"})
