"""Finding a message in a real JupyterLab window: a hit opens its room at the message, and one reads on from there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Page

from ..support.address import Address
from ..support.client import HubClient
from ..support.server import RealServer
from .axe import serious_violations, set_theme
from .chat import CHAT, NO_LIMITS, enter, fill, say, texts, two_lines
from .conftest import Opener, Window, quiet_lab
from .test_chat import LOG, REST

pytestmark = [pytest.mark.ui, pytest.mark.timeout(240)]

MANY = 3000
DEEP, NEAR = 100, 2600
WORDS = {DEEP: "the deepneedle in the hay", NEAR: "the nearneedle in the hay"}
NEEDLES = 40
"""So many messages have the word `pin`."""
END = f"() => {{ const n = document.querySelector('{LOG}'); return n && {REST} < 2; }}"
NUMBERS = """() => [...document.querySelectorAll('.jp-chat-message')].map(
  message => Number(message.innerText.match(/message (\\d+)/)?.[1] ?? -1)
)"""
FROM_MIDDLE = """words => {
  const view = document.querySelector('.jp-WsHub-room [role=log]').getBoundingClientRect();
  const message = [...document.querySelectorAll('.jp-chat-message')].find(one => one.innerText.includes(words));
  const box = message?.getBoundingClientRect();
  return box ? Math.abs((box.top + box.bottom) / 2 - (view.top + view.bottom) / 2) : null;
}"""
TO_NEWEST = ".jp-WsHub-toEnd"
UNREAD = f".lm-TabBar-tab[data-id={CHAT}].jp-WsHub-unreadTab"


def text_of(n: int) -> str:
    """What message `n` says."""
    words = WORDS.get(n) or ("a pin" if n % (MANY // NEEDLES) == 1 else None)
    return f"message {n}\n\n{words}" if words else two_lines(n)


async def fill_and_reply(server: RealServer, count: int) -> None:
    """Let somebody say so much, and then reply to what was said at the beginning."""
    async with HubClient(Address.of(server)) as bob:
        await fill(bob, count, text_of)
        await bob.request("chat.post", {"room": "general", "id": "r", "text": "see there", "reply_to": f"m{DEEP}"})


@pytest.fixture
def lab(start_server: Callable[..., RealServer]) -> RealServer:
    """A real JupyterLab in which one may say as much as one likes."""
    config = f"c.LabApp.expose_app_in_browser = True\n{NO_LIMITS}"
    return start_server(program="lab", prepare=quiet_lab, config=config)


async def look_for(page: Page, words: str, hits: int = 1) -> None:
    """Search, and wait for what is found."""
    await page.get_by_label("Search messages").click()
    await page.get_by_label("Words in messages").fill(words)
    await page.wait_for_function("n => document.querySelectorAll('.jp-WsHub-hit').length === n", arg=hits)


async def marked(page: Page, words: str, off: int = 3) -> None:
    """Wait until the message with these words is marked; it is at most `off` from the middle, and has the focus."""
    await page.locator(".jp-chat-message[data-found]").filter(has_text=words).wait_for()
    # The mark goes after two seconds; the message is found by its words.
    await page.wait_for_function(
        f"""([words, off]) => document.activeElement.matches('.jp-chat-message') &&
          document.activeElement.innerText.includes(words) && ({FROM_MIDDLE})(words) < off""",
        arg=[words, off],
    )


async def numbers(page: Page) -> list[int]:
    """The numbers of the messages that are shown; there is no gap between them."""
    found: list[int] = await page.evaluate(NUMBERS)
    told = [n for n in found if n >= 0]
    assert told == list(range(told[0], told[0] + len(told)))
    return told


async def read_on_to(page: Page, words: str) -> None:
    """Scroll down until a message is there; there is never a gap."""
    await page.hover(LOG)
    for _ in range(200):
        before = await numbers(page)
        if words in (await page.locator(".jp-chat-message").last.inner_text()):
            return
        await page.mouse.wheel(0, 20_000)
        await page.wait_for_function(
            f"last => ({NUMBERS})().at(-1) !== last || document.querySelector('{TO_NEWEST}') === null", arg=before[-1]
        )
        after = await numbers(page)
        assert after[0] == before[0] or len(after) > 200, "nothing is taken away above, unless there is much"
    raise AssertionError(f"{words} never came")


async def test_a_hit_in_the_past_is_opened_at_its_message_and_read_on_to_the_newest(
    lab: RealServer, open_window: Opener
) -> None:
    async with HubClient(Address.of(lab)) as bob:
        await fill(bob, MANY, text_of)
        alice = await open_window(lab)
        page = alice.page
        await enter(alice)
        await page.wait_for_selector(UNREAD, state="detached")
        await look_for(page, "nearneedle")
        await page.locator(".jp-WsHub-hit").click()
        await marked(page, "nearneedle")
        await alice.screenshot("chat-found")
        assert await page.locator(TO_NEWEST).is_visible()
        assert (await numbers(page))[-1] < NEAR + 100
        await page.wait_for_selector("[data-found]", state="detached")
        await marked_place_stays(page, bob)
        await page.wait_for_selector(UNREAD)
        await read_on_to(page, "meanwhile")
        await page.mouse.wheel(0, 20_000)
        await page.wait_for_function(END)
        await page.wait_for_selector(TO_NEWEST, state="detached")
        await page.wait_for_selector(UNREAD, state="detached")
        await bob.request("chat.post", {"room": "general", "id": "now", "text": "and now"})
        await page.wait_for_function(f"() => document.querySelector('{LOG}').innerText.includes('and now')")
        await page.wait_for_function(END)
        assert alice.errors == []


async def marked_place_stays(page: Page, bob: HubClient) -> None:
    """What is said meanwhile is told, and neither shown nor does it move what is read."""
    await bob.request("chat.post", {"room": "general", "id": "meanwhile", "text": "meanwhile"})
    await page.wait_for_function("() => document.querySelector('.jp-WsHub-live').innerText.includes('meanwhile')")
    assert await page.evaluate(FROM_MIDDLE, "nearneedle") < 3
    assert await page.evaluate(FROM_MIDDLE, "meanwhile") is None
    assert await page.locator(TO_NEWEST).is_visible()


async def test_one_comes_back_from_the_deep_past_to_the_search_and_to_the_newest_message(
    lab: RealServer, open_window: Opener
) -> None:
    async with HubClient(Address.of(lab)) as bob:
        await fill(bob, MANY, text_of)
    alice = await open_window(lab)
    page = alice.page
    await enter(alice)
    await look_for(page, "pin", 30)
    await page.get_by_role("button", name="More").click()
    await page.wait_for_function("n => document.querySelectorAll('.jp-WsHub-hit').length === n", arg=NEEDLES)
    oldest = page.locator(".jp-WsHub-hit").last
    await oldest.click()
    await marked(page, "message 1\n", 200)  # there is only one before it
    await page.hover(LOG)
    await page.mouse.wheel(0, -3000)
    await page.wait_for_function(f"() => ({NUMBERS})()[0] === 0")
    await page.get_by_label("Search messages").click()
    await oldest.wait_for()
    assert await page.locator(".jp-WsHub-hit").count() == NEEDLES
    assert await page.get_by_label("Words in messages").input_value() == "pin"
    assert await oldest.evaluate("hit => hit === document.activeElement")
    await alice.screenshot("chat-found-again")
    await page.locator(".jp-WsHub-hit").nth(20).click()
    await page.wait_for_selector("[data-found]")
    await page.locator(TO_NEWEST).click()
    await page.wait_for_function(f"() => ({NUMBERS})().at(-1) === {MANY - 1}")
    await page.wait_for_function(END)
    await page.wait_for_selector(TO_NEWEST, state="detached")
    assert await page.locator(LOG).evaluate("log => log === document.activeElement")
    assert alice.errors == []


async def test_a_message_is_found_and_left_with_the_keyboard_alone(lab: RealServer, open_window: Opener) -> None:
    await fill_and_reply(lab, 500)
    alice = await open_window(lab)
    page = alice.page
    await page.emulate_media(reduced_motion="reduce")
    await enter(alice)
    await page.get_by_label("Search messages").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.type("deepneedle")
    await page.wait_for_selector(".jp-WsHub-hit")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await marked(page, "deepneedle")
    await alice.screenshot("chat-found-keyboard")
    await page.keyboard.press("PageDown")
    await page.wait_for_function(f"words => ({FROM_MIDDLE})(words) > 100", arg="deepneedle")
    await page.locator(TO_NEWEST).focus()
    await page.keyboard.press("Enter")
    await page.wait_for_function(END)
    await page.wait_for_function(f"() => document.querySelector('{LOG}').innerText.includes('see there')")
    await page.get_by_role("button", name="An earlier message").focus()
    await page.keyboard.press("Enter")
    await marked(page, "deepneedle")
    await say(alice, "I have seen it")
    await page.wait_for_function(END)
    assert (await texts(alice))[-2:] == ["see there", "I have seen it"]
    assert alice.errors == []


async def test_a_found_message_keeps_nobody_out(lab: RealServer, open_window: Opener) -> None:
    await fill_and_reply(lab, 300)
    alice = await open_window(lab)
    page = alice.page
    await enter(alice)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        await set_theme(page, theme)
        assert await serious_violations(page, f"#{CHAT}") == []
        await page.get_by_role("button", name="An earlier message").click()
        await marked(page, "deepneedle")
        await alice.screenshot(f"chat-found-{theme.split()[1].lower()}")
        assert await serious_violations(page, f"#{CHAT}") == []
        await page.locator(TO_NEWEST).click()
        await page.wait_for_function(END)
    await page.emulate_media(forced_colors="active")
    await page.get_by_role("button", name="An earlier message").click()
    await marked(page, "deepneedle")
    await alice.screenshot("chat-found-forced")
    assert alice.errors == []


async def exported(window: Window, name: str, tmp_path: Path) -> tuple[str, str]:
    """Export the room that is open by its menu: the document's name and text."""
    page = window.page
    await page.get_by_label("Actions of this room").click()
    await page.locator(".lm-Menu-itemLabel").filter(has_text="Export").click()
    await page.locator(".jp-Dialog select").select_option(label=name)
    async with page.expect_download() as downloading:
        await page.locator(".jp-Dialog .jp-mod-accept").click()
    download = await downloading.value
    await download.save_as(tmp_path / download.suggested_filename)
    return download.suggested_filename, (tmp_path / download.suggested_filename).read_text()


async def test_a_room_is_exported_from_its_menu(lab: RealServer, open_window: Opener, tmp_path: Path) -> None:
    async with HubClient(Address.of(lab)) as bob:
        await fill(bob, 500, text_of)
    alice = await open_window(lab)
    await enter(alice)
    name, markdown = await exported(alice, "Markdown", tmp_path)
    assert name == "general.md"
    assert re.findall(r"^> message (\d+)$", markdown, re.MULTILINE) == [str(n) for n in range(500)]
    assert f"> message {DEEP}\n>\n> {WORDS[DEEP]}\n" in markdown
    name, document = await exported(alice, "JSON", tmp_path)
    assert name == "general.json"
    assert [message["text"] for message in json.loads(document)["messages"]] == [text_of(n) for n in range(500)]
    assert await alice.page.locator(".jp-Dialog, .jp-toast-error").count() == 0
    assert alice.errors == []
