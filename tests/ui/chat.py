"""What the tests of the chat in a real browser share: people with names, talking, menus and dialogs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from playwright.async_api import Locator

from ..support.client import HubClient
from .conftest import Window

CHAT = "jupyter-ws-hub-chat"
NO_LIMITS = "c.HubApp.chat_posts_per_minute = 0\nc.HubApp.messages_per_s = 0\nc.HubApp.writes_per_s = 0"
PEOPLE = f"""
from jupyter_server.auth import Authorizer, IdentityProvider, User

class ByCookie(IdentityProvider):
    "Who has the test's token is called as the cookie says that the test has given their browser."

    async def get_user_token(self, handler):
        user = await super().get_user_token(handler)
        name = handler.get_cookie("test-user")
        return User(name, display_name=name.title()) if user is not None and name else user

class Moderated(Authorizer):
    "A teacher may do everything; all others do not moderate."

    def is_authorized(self, handler, user, action, resource):
        return user.username == "teacher" or action != "moderate"

c.ServerApp.identity_provider_class = ByCookie
c.ServerApp.authorizer_class = Moderated
c.ByCookie.token = c.IdentityProvider.token
c.LabApp.expose_app_in_browser = True
{NO_LIMITS}
"""
TEXTS = """() => {
  const bodies = [...document.querySelectorAll('.jp-WsHub-chat .jp-chat-message')].map(message =>
    message.querySelector('.jp-WsHub-stream') ?? message.querySelector('.jp-chat-rendered-message'));
  return bodies.every(body => body) && bodies.map(body => body.innerText.trim());
}"""
MESSAGE = ".jp-WsHub-chat .jp-chat-message"
DIALOG = ".jp-Dialog"
AT_ONCE = 50
MEASURE = """() => {
  window.seenAt = [];
  const look = () => {
    const text = document.querySelector('.jp-WsHub-stream')?.innerText ?? '';
    const stamps = text.match(/\\d{13}/g) ?? [];
    const now = Date.now();
    for (const stamp of stamps.slice(window.seenAt.length)) {
      window.seenAt.push(now - Number(stamp));
    }
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""
FOCUSED = """label => {
  const node = document.activeElement;
  return [node?.ariaLabel, node?.innerText?.trim(), node?.labels?.[0]?.innerText?.trim()].includes(label);
}"""


async def enter(window: Window) -> None:
    """Show the chat, once the window is as it was left, and nothing takes the focus from the chat."""
    await window.at_rest()
    await window.open_sidebar(CHAT)
    await window.page.wait_for_selector('.jp-WsHub-room[data-ready="true"] .jp-WsHub-input textarea')


async def list_rooms(window: Window) -> None:
    """Go from a room to the list."""
    await window.page.get_by_label("All rooms").click()
    await window.page.wait_for_selector(".jp-WsHub-newRoom")


async def go(window: Window, room: str) -> None:
    """Go into a room of the list, and wait until one can type."""
    await window.page.click(f'.jp-WsHub-roomRow[data-room="{room}"]')
    await window.page.wait_for_selector(f'.jp-WsHub-room[data-room="{room}"][data-ready="true"] textarea:focus')


async def say(window: Window, text: str) -> None:
    """Write something and send it."""
    box = window.page.locator(".jp-WsHub-input textarea").first
    await box.fill(text)
    await box.press("Enter")


def two_lines(n: int) -> str:
    """What message `n` says."""
    return f"message {n}\n\nwith *two* lines"


async def fill(client: HubClient, count: int, text_of: Callable[[int], str] = two_lines) -> None:
    """Let somebody say so much."""
    for start in range(0, count, AT_ONCE):
        said = [
            {"room": "general", "id": f"m{n}", "text": text_of(n)} for n in range(start, min(start + AT_ONCE, count))
        ]
        await asyncio.gather(*(client.request("chat.post", params, timeout_s=60) for params in said))


async def texts(window: Window) -> list[str]:
    """What the messages say, once each of them is drawn."""
    found: list[str] = await (await window.page.wait_for_function(TEXTS)).json_value()
    return found


async def sees(window: Window, expected: list[str], timeout_s: float = 20) -> None:
    """Wait until the messages are these."""
    for _ in range(int(timeout_s / 0.05)):
        if await texts(window) == expected:
            return
        await asyncio.sleep(0.05)
    assert await texts(window) == expected


async def settled(window: Window, state: str, count: int = 1) -> None:
    """Wait until so many messages are in a state."""
    await window.page.wait_for_function(
        "([state, count]) => document.querySelectorAll(`.jp-WsHub-footerState[data-state=${state}]`).length === count",
        arg=[state, count],
    )


def message(window: Window, text: str) -> Locator:
    """The message that says this."""
    return window.page.locator(MESSAGE).filter(has=window.page.locator(f".jp-chat-rendered-message:has-text({text!r})"))


async def act(window: Window, text: str, action: str) -> None:
    """Press a button of a message, which is there once the pointer is."""
    found = message(window, text)
    await found.hover()
    await found.get_by_role("button", name=action, exact=True).click()


async def choose(window: Window, button: str, item: str) -> None:
    """Choose from the menu of a button with the keyboard: a notification may lie over it."""
    await window.page.get_by_label(button, exact=True).press("Enter")
    active = window.page.locator(".lm-Menu-item.lm-mod-active .lm-Menu-itemLabel")
    seen: list[str] = []
    while (label := await active.inner_text()) != item:
        assert label not in seen, f"the menu has {seen}"
        seen.append(label)
        await window.page.keyboard.press("ArrowDown")
    await window.page.keyboard.press("Enter")


async def press(window: Window, *keys: str) -> None:
    """Press keys, one after the other."""
    for key in keys:
        await window.page.keyboard.press(key)


async def has_focus(window: Window, label: str) -> None:
    """Wait until what is called so has the focus."""
    await window.page.wait_for_function(FOCUSED, arg=label, timeout=5000)


async def is_told(window: Window, words: str) -> None:
    """Wait for a notification with these words, and put it away."""
    toast = window.page.locator(".Toastify__toast").filter(has_text=words)
    await toast.first.wait_for()
    await toast.first.hover()
    await toast.first.get_by_role("button", name="Hide notification").click()
