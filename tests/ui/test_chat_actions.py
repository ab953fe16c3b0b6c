"""What is done with messages in real JupyterLab windows: change, attach, use their code; and how all that looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from ..support.address import Address
from ..support.assistants import Puppet
from ..support.client import HubClient
from ..support.plugin import installed
from ..support.server import TOKEN, RealServer
from .axe import serious_violations, set_theme
from .chat import (
    CHAT,
    DIALOG,
    MESSAGE,
    PEOPLE,
    act,
    choose,
    enter,
    go,
    has_focus,
    is_told,
    list_rooms,
    message,
    press,
    say,
    sees,
    settled,
    texts,
)
from .conftest import Opener, Window, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(240)]

INPUT = ".jp-WsHub-input textarea >> nth=0"
PURPOSE = ".jp-WsHub-purposeText"
DELETED = "This message was deleted."
CODE = "```python\nprint(6 * 7)\n```"
CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON().cells.map(cell => cell.source)"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
MARKS = """() => {
  const style = (selector, pseudo) => getComputedStyle(document.querySelector(selector), pseudo);
  const dot = style('.jp-WsHub-unreadTab .lm-TabBar-tabIcon', '::after');
  return [
    dot.backgroundColor !== style('body').backgroundColor,
    style('.jp-WsHub-newRoom').borderTopStyle,
    style('.jp-WsHub-badge').borderTopStyle,
    style('.jp-WsHub-roomRow').outlineStyle,
  ];
}"""
NOTEBOOK: dict[str, Any] = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "cells": [
        {
            **{"cell_type": "code", "id": "one", "source": "price = 40", "metadata": {}, "execution_count": 1},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "what was printed\n"}],
        }
    ],
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One JupyterLab for all tests of this file, whose users have names, with a puppet that answers."""
    folder = tmp_path_factory.mktemp("server")
    server = RealServer(folder, program="lab", config=PEOPLE)
    quiet_lab(server)
    (server.root / "work.ipynb").write_text(json.dumps(NOTEBOOK))
    (server.root / "notes.txt").write_text("what the notes say")
    with installed(folder / "plugin", assistants={Puppet.name: Puppet}), server.running(silent=True):
        yield server


def teacher(server: RealServer) -> HubClient:
    """A moderator without a browser."""
    headers = {"Authorization": f"token {TOKEN}", "Cookie": "test-user=teacher"}
    return HubClient(Address(server.port, server.base_url, headers))


async def has_purpose(window: Window, words: str) -> None:
    """Wait until the input says what it is for."""
    await window.page.locator(PURPOSE).get_by_text(words, exact=True).wait_for()


async def has_text(window: Window, text: str) -> None:
    """Wait until this stands in the input."""
    for _ in range(100):
        if await window.page.input_value(INPUT) == text:
            return
        await asyncio.sleep(0.05)
    assert await window.page.input_value(INPUT) == text


async def actions(window: Window, text: str) -> list[str]:
    """What can be done with a message."""
    return await message(window, text).locator(".jp-WsHub-action").all_inner_texts()


async def edit_at_the_same_time(alice: Window, other: Window) -> None:
    """Alice is late: her words and the half sentence from before are there still."""
    await alice.page.fill(INPUT, "half a sentence")
    await act(alice, "first", "Edit")
    await has_text(alice, "first")
    await has_purpose(alice, "Editing: first")
    await press(alice, "Escape")
    await has_text(alice, "half a sentence")
    await act(alice, "first", "Edit")
    await alice.page.fill(INPUT, "first of all")
    await act(other, "first", "Edit")
    await other.page.fill(INPUT, "first, said a moderator")
    await press(other, "Enter")
    await sees(alice, ["first, said a moderator"])
    await message(alice, "moderator").get_by_text("edited by teacher").wait_for()
    await alice.page.focus(INPUT)
    await press(alice, "Enter")
    await is_told(alice, "The message has changed meanwhile")
    await has_text(alice, "first of all")
    await has_purpose(alice, "Editing: first, said a moderator")
    await alice.screenshot("chat-edit-conflict")
    await alice.page.focus(INPUT)
    await press(alice, "Enter")
    await sees(other, ["first of all"])
    await has_text(alice, "half a sentence")
    await alice.page.fill(INPUT, "")


async def test_messages_are_answered_changed_and_deleted(lab: RealServer, open_window: Opener) -> None:
    alice, other = await asyncio.gather(*(open_window(lab, user=name) for name in ("alice", "teacher")))
    await enter(alice)
    await enter(other)
    await say(alice, "first")
    await sees(other, ["first"])
    await edit_at_the_same_time(alice, other)
    await act(other, "first of all", "Reply")
    await has_purpose(other, "Reply to Alice: first of all")
    await press(other, "Escape")
    await other.page.wait_for_selector(PURPOSE, state="detached")
    await act(other, "first of all", "Reply")
    await other.page.keyboard.type("why not second?")
    await press(other, "Enter")
    await alice.page.locator(".jp-WsHub-quote").get_by_text("Alice: first of all").wait_for()
    assert await actions(alice, "why not") == ["Reply"]
    assert await actions(other, "first of all") == ["Reply", "Edit", "Delete"]
    await message(other, "first of all").hover()
    await other.screenshot("chat-reply")
    await act(other, "why not", "Delete")
    await has_focus(other, "Cancel")
    await other.screenshot("chat-delete")
    await press(other, "Escape")
    await act(other, "first of all", "Delete")
    await press(other, "ArrowRight", "Enter")
    await sees(alice, [DELETED, "why not second?"])
    await message(alice, DELETED).get_by_text("deleted by teacher").wait_for()
    await act(other, "why not", "Delete")
    await press(other, "ArrowRight", "Enter")
    await sees(alice, [DELETED, DELETED])
    assert await alice.page.get_by_text("deleted by").count() == 1
    assert await alice.page.locator(".jp-WsHub-action").count() == 0
    await alice.screenshot("chat-deleted")
    assert alice.errors == other.errors == []
    assert not [text for text in alice.warnings if "Unsatisfied version" in text]


async def enter_room(window: Window, name: str) -> None:
    """Choose a room from the list, so that one can type."""
    await enter(window)
    await list_rooms(window)
    await go(window, name)


async def send_into_a_closed_room(alice: Window, moderator: HubClient) -> None:
    """Two messages are refused; one is let go, the other sent once the room is open again."""
    alice.lose_network()
    await say(alice, "one")
    await say(alice, "two")
    await moderator.request("chat.archive", {"room": "project", "archived": True})
    alice.proxy.flow()
    await settled(alice, "failed", 2)
    await alice.screenshot("chat-failed")
    assert await actions(alice, "one") == ["Try again", "Discard"]
    await act(alice, "one", "Try again")
    await settled(alice, "failed", 2)
    await act(alice, "two", "Discard")
    await settled(alice, "failed", 1)
    await moderator.request("chat.archive", {"room": "project", "archived": False})
    await act(alice, "one", "Try again")


async def test_somebody_is_mentioned_and_what_could_not_be_sent_is_sent_again_or_let_go(
    lab: RealServer, open_window: Opener
) -> None:
    async with teacher(lab) as moderator:
        await moderator.request("chat.create", {"name": "project", "title": "Project"})
        alice = await open_window(lab, user="alice")
        await enter_room(alice, "project")
        await alice.page.wait_for_selector(".jp-WsHub-chooser")
        await alice.page.keyboard.type("Dear @pu")
        await has_text(alice, "Dear @pu")
        await alice.page.wait_for_selector("[role=listbox] [role=option]")
        await alice.screenshot("chat-mention")
        await press(alice, "Escape")
        await has_text(alice, "Dear @pu")
        await alice.page.keyboard.type("p")
        await alice.page.wait_for_selector("[role=listbox] [role=option]")
        await press(alice, "Enter")
        await has_text(alice, "Dear @puppet ")
        await alice.page.keyboard.type("words=2")
        await press(alice, "Enter")
        await sees(alice, ["Dear @puppet words=2", "word0 word1"])
        await settled(alice, "done")
        await moderator.request("chat.delete", {"room": "project", "id": await last_id(alice)})
        await sees(alice, ["Dear @puppet words=2", DELETED])
        await send_into_a_closed_room(alice, moderator)
        await sees(alice, ["Dear @puppet words=2", DELETED, "one"])
        await settled(alice, "failed", 0)
        assert alice.errors == []


async def test_what_cannot_be_answered_now_is_said_all_the_same_and_asked_again_later(
    lab: RealServer, open_window: Opener
) -> None:
    async with teacher(lab) as moderator:
        await moderator.request("chat.create", {"name": "busy", "title": "Busy"})
        alice = await open_window(lab, user="alice")
        await enter_room(alice, "busy")
        for number in range(2):
            await say(alice, f"@puppet words=100000 pause=0.1 {number}")
        await say(alice, "and @puppet words=2")
        await settled(alice, "failed")
        await say(alice, "all the same")
        await message(alice, "all the same").wait_for()
        await alice.page.get_by_text("You may have 2 answers under way at a time; wait for one, or stop it.").wait_for()
        await alice.screenshot("chat-busy")
        await alice.page.get_by_role("button", name="Stop", exact=True).first.click()
        await settled(alice, "stopped")
        await alice.page.get_by_role("button", name="Ask again", exact=True).last.click()
        await alice.page.locator(MESSAGE).get_by_text("word0 word1", exact=True).wait_for()
        await moderator.request("chat.archive", {"room": "busy", "archived": True})
        await alice.page.get_by_role("button", name="Stop", exact=True).click()
        await settled(alice, "stopped", 2)
        assert alice.errors == []


async def last_id(window: Window) -> str:
    """The id of the newest message."""
    found = await window.page.locator(".jp-WsHub-footer").last.get_attribute("data-id")
    assert found is not None
    return found


async def open_notebook(window: Window) -> None:
    """Open it out of the file browser."""
    await window.open_sidebar("filebrowser")
    await window.page.locator("#filebrowser .jp-DirListing-item").get_by_text("work.ipynb").dblclick()
    await window.page.wait_for_selector(".jp-Notebook .cm-content")
    await window.page.wait_for_selector(".jp-Spinner", state="detached")


async def put_in_code(alice: Window) -> None:
    """Each button in turn; the notebook's model is what counts."""
    page = alice.page
    bar = page.locator(".jp-WsHub-codeBar").last
    await bar.hover()
    for name in ("Insert into cell", "Replace cell", "New cell below"):
        button = bar.get_by_label(name)
        assert await button.get_attribute("aria-disabled") == "true"
        assert await button.get_attribute("title") == f"{name}: open a notebook that you may change"
    await alice.screenshot("chat-code-without-notebook")
    await bar.get_by_label("Copy").click()
    await bar.get_by_label("Copied").wait_for()
    assert await page.evaluate("navigator.clipboard.readText()") == "print(6 * 7)"
    await open_notebook(alice)
    await page.click(".jp-Notebook .cm-content")
    await bar.hover()
    await page.focus(".jp-Notebook .cm-content")
    await press(alice, "End")
    await page.keyboard.type("; ")
    await bar.get_by_label("Insert into cell").click()
    assert await page.evaluate(CELLS) == ["price = 40; print(6 * 7)"]
    await bar.get_by_label("New cell below").click()
    assert await page.evaluate(CELLS) == ["price = 40; print(6 * 7)", "print(6 * 7)"]
    await page.locator(".jp-Notebook .cm-content").nth(0).click()
    await bar.get_by_label("Replace cell").click()
    assert await page.evaluate(CELLS) == ["print(6 * 7)", "print(6 * 7)"]
    await alice.screenshot("chat-code")


async def attached(alice: Window) -> list[str]:
    """The chips above the input."""
    return await alice.page.locator(".jp-WsHub-strip .jp-WsHub-chipName").all_inner_texts()


async def attach_all(alice: Window, server: RealServer) -> None:
    """One of each kind, out of a notebook that has changes which are not saved."""
    page = alice.page
    await page.locator(".jp-Notebook .cm-content").nth(0).click()
    await press(alice, "ControlOrMeta+a")
    await page.keyboard.type("price = 41")
    assert "41" not in (server.root / "work.ipynb").read_text()
    await choose(alice, "Attach", "Active cell with its output")
    await is_told(alice, "work.ipynb is saved: what is read of an attachment is what is saved.")
    await page.locator(".jp-WsHub-chipName").get_by_text("work.ipynb, a cell").wait_for()
    assert "41" in (server.root / "work.ipynb").read_text()
    await page.locator(".jp-Notebook .cm-content").nth(0).click()
    await press(alice, "End", "Shift+ArrowLeft", "Shift+ArrowLeft")
    await choose(alice, "Attach", "Selected text")
    await choose(alice, "Attach", "This notebook")
    await choose(alice, "Attach", "Files…")
    await page.locator(f"{DIALOG} .jp-DirListing-item").get_by_text("notes.txt").click()
    await alice.screenshot("chat-attach-file")
    await page.get_by_role("button", name="Select", exact=True).click()
    await page.wait_for_selector(DIALOG, state="detached")
    await page.locator(".jp-WsHub-chipName").get_by_text("notes.txt").wait_for()
    assert await attached(alice) == ["work.ipynb, a cell", "work.ipynb, 1 line", "work.ipynb", "notes.txt"]
    await alice.screenshot("chat-attachments")
    await page.get_by_label("Do not attach work.ipynb", exact=True).click()
    assert await attached(alice) == ["work.ipynb, a cell", "work.ipynb, 1 line", "notes.txt"]


async def test_all_can_be_told_apart_in_high_contrast(lab: RealServer, open_window: Opener) -> None:
    async with teacher(lab) as other:
        alice = await open_window(lab, user="alice")
        page = alice.page
        await enter(alice)
        await say(alice, f"Look, @puppet end=error\n\n{CODE}")
        await page.wait_for_selector(".jp-WsHub-footerState[data-state=failed]")
        await set_theme(page, "JupyterLab Dark High Contrast")
        await look(alice, other, "contrast")
        await set_theme(page, "JupyterLab Light")
        for scheme in SCHEMES:
            await page.emulate_media(forced_colors="active", color_scheme=scheme)
            await look(alice, other, f"forced-{scheme}")
            assert await page.evaluate(MARKS) == [True, "solid", "solid", "solid"]
        assert alice.errors == []


async def look(alice: Window, other: HubClient, name: str) -> None:
    """A picture of the room, and one of the list with the panel, where something is unread; and what axe says."""
    page = alice.page
    if await page.locator(".jp-WsHub-newRoom").count():
        await page.click('.jp-WsHub-roomRow[data-room="general"]')
        await page.wait_for_selector(".jp-WsHub-input textarea")
    await page.hover(f"{MESSAGE} >> nth=-1")
    await alice.screenshot(f"chat-{name}")
    if name == "contrast":  # of colours that the system has chosen axe knows nothing
        assert await serious_violations(page, f"#{CHAT}") == []
    await page.get_by_label("All rooms").click()
    await other.request("chat.post", {"room": "general", "id": f"unread-{name}", "text": "and this"})
    await page.wait_for_selector(".jp-WsHub-roomRow.jp-mod-unread")
    await alice.open_sidebar("jupyter-ws-hub-panel")
    await page.focus('.jp-WsHub-roomRow[data-room="general"]')
    await press(alice, "Tab", "Shift+Tab")
    await alice.screenshot(f"chat-rooms-{name}")


async def test_code_goes_into_the_notebook_and_the_notebook_into_a_question(
    lab: RealServer, open_window: Opener
) -> None:
    alice = await open_window(lab, user="alice")
    await alice.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await enter(alice)
    await say(alice, f"@puppet echo=1\n\n{CODE}")
    await settled(alice, "done")
    await put_in_code(alice)
    await attach_all(alice, lab)
    await say(alice, "@puppet echo=1 look")
    await settled(alice, "done", 2)
    answer = (await texts(alice))[-1]
    for words in ("price = 41", "what was printed", "```\n41\n```", "what the notes say"):
        assert words.strip("`\n") in answer, answer
    assert await attached(alice) == []
    await alice.page.locator(".jp-chat-message .jp-WsHub-chipName").get_by_text("notes.txt").last.click()
    await alice.page.wait_for_selector(".lm-TabBar-tab.lm-mod-current[title*='notes.txt']")
    await alice.screenshot("chat-attached")
    assert alice.errors == []
