"""What a person sees of the chat in a browser: a large room opens, and an answer comes in."""

from __future__ import annotations

import asyncio
import statistics
from typing import Final

import msgspec
from playwright.sync_api import Page, sync_playwright

from tests.support.server import TOKEN
from tests.ui.chat import CHAT, MEASURE
from tests.ui.conftest import ARGUMENTS, executable, quiet_lab

from .chats import FIRST_ROOM, say
from .harness import Bar, Bench, Figure
from .wire import Target

TITLE = "JupyterLab in Chromium: a room of 10,000 messages opens with its newest 50, and pieces of an answer come in"
MESSAGES: Final = 10_000
OTHER: Final = "small"
FEW: Final = 20
TIMES: Final = 5
LOAD_MS: Final = 60_000
WORDS: Final = 300

OPEN: Final = """async (first) => {
  // Whoever clicks has seen the page come to rest.
  await new Promise(done => requestIdleCallback(() => requestIdleCallback(done)));
  const began = performance.now();
  if (first) {
    window.jupyterapp.shell.activateById('jupyter-ws-hub-chat');
  } else {
    document.querySelector('.jp-WsHub-roomRow[data-room=general]').click();
  }
  const found = { view_ms: 0, page_ms: 0 };
  while (found.page_ms === 0 && performance.now() - began < 30000) {
    await new Promise(requestAnimationFrame);
    const log = document.querySelector('.jp-WsHub-room[data-room=general] [role=log]');
    const messages = [...(log?.querySelectorAll('.jp-chat-message') ?? [])];
    const isDrawn = each => each.querySelector('.jp-chat-rendered-message p') !== null;
    const box = log?.getBoundingClientRect();
    const seen = messages.filter(each => {
      const { top, bottom } = each.getBoundingClientRect();
      return bottom > box.top && top < box.bottom;
    });
    const last = messages[messages.length - 1];
    const isAtEnd = last && seen.includes(last) && seen[0] !== messages[0];
    // What this frame shows is seen when it has been painted: at the next one.
    const isSeen = box?.height > 0 && isAtEnd && seen.every(isDrawn);
    const isWhole = isSeen && messages.length >= 50 && messages.slice(-50).every(isDrawn);
    if (isSeen) {
      await new Promise(requestAnimationFrame);
      found.view_ms ||= performance.now() - began;
      found.page_ms = isWhole ? performance.now() - began : 0;
    }
  }
  return found;
}"""


class Opened(msgspec.Struct, frozen=True):
    """Milliseconds until what is in view was painted, and until the whole page was."""

    view_ms: float
    page_ms: float


def enter(page: Page, target: Target) -> None:
    """Load JupyterLab; the chat is not shown yet."""
    page.goto(f"http://127.0.0.1:{target.port}/lab?token={TOKEN}")
    page.wait_for_selector(f".lm-TabBar-tab[data-id={CHAT}]", timeout=LOAD_MS)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.wait_for_load_state("networkidle")


def opened(page: Page, *, first: bool) -> Opened:
    """Open the room; `first`: for the first time in this page, by showing the chat."""
    found = msgspec.convert(page.evaluate(OPEN, first), Opened)
    if not found.page_ms:
        raise RuntimeError("the room was not drawn")
    return found


def opened_again(page: Page) -> Opened:
    """Go to another room, and from the list of rooms to the large one."""
    page.get_by_label("All rooms").click()
    page.locator(f".jp-WsHub-roomRow[data-room={OTHER}]").click()
    page.wait_for_selector(f".jp-WsHub-room[data-room={OTHER}][data-ready=true] .jp-chat-rendered-message")
    page.get_by_label("All rooms").click()
    page.wait_for_selector(".jp-WsHub-roomRow")
    return opened(page, first=False)


def late_ms(page: Page) -> float:
    """How old the pieces of an answer are when they are in the page; the median."""
    page.evaluate(MEASURE)
    box = page.locator(".jp-WsHub-input textarea").first
    box.fill(f"@puppet words={WORDS} pause=0.02 stamp=1")
    box.press("Enter")
    page.wait_for_selector(".jp-WsHub-stream")
    page.wait_for_selector(".jp-WsHub-stream", state="detached", timeout=LOAD_MS)
    late: list[float] = page.evaluate("window.seenAt")
    if len(late) < WORDS / 2:
        raise RuntimeError(f"{len(late)} pieces of {WORDS} were seen")
    return statistics.median(late)


def run(bench: Bench) -> list[Figure]:
    """Each round has a fresh browser."""
    target = bench.lab.hub(prepare=quiet_lab)
    asyncio.run(say(target, [OTHER], FEW))
    asyncio.run(say(target, [FIRST_ROOM], MESSAGES, told=True))
    firsts, agains, lates = [], [], []
    with sync_playwright() as playwright:
        for number in range(bench.rounds):
            browser = playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            enter(page, target)
            firsts.append(opened(page, first=True))
            times = [opened_again(page) for _ in range(TIMES)]
            views, pages = [time.view_ms for time in times], [time.page_ms for time in times]
            agains.append(Opened(statistics.median(views), statistics.median(pages)))
            lates.append(late_ms(page))
            bench.say(f"round {number + 1}: {firsts[-1]}, again {agains[-1]}, a piece {lates[-1]:.0f} ms")
            browser.close()
    rows = [
        figure
        for how, times in (("the chat is shown for the first time", firsts), ("from the list of rooms", agains))
        for figure in (
            Figure(f"{how}: what is in view", "ms", [each.view_ms for each in times], bar=Bar("≤", 150)),
            Figure(f"{how}: the newest 50 messages", "ms", [each.page_ms for each in times]),
        )
    ]
    return [
        *rows,
        Figure("a piece of an answer, from the provider to the page, p50", "ms", lates, bar=Bar("≤", 60)),
    ]
