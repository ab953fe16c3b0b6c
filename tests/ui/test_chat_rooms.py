"""Rooms in real JupyterLab windows: made, changed and removed by keyboard, and what others see of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ..support.server import RealServer
from .axe import serious_violations
from .chat import CHAT, DIALOG, PEOPLE, choose, enter, go, has_focus, is_told, list_rooms, press, say, sees
from .conftest import Opener, Window, quiet_lab

pytestmark = [pytest.mark.ui, pytest.mark.timeout(240)]

MENU = "Actions of this room"
ROWS = "() => [...document.querySelectorAll('.jp-WsHub-roomRow')].map(row => row.dataset.room)"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One JupyterLab for all tests of this file, whose users have names."""
    server = RealServer(tmp_path_factory.mktemp("server"), program="lab", config=PEOPLE)
    quiet_lab(server)
    with server.running(silent=True):
        yield server


async def rooms(window: Window) -> list[str]:
    """The rooms in the list."""
    listed: list[str] = await window.page.evaluate(ROWS)
    return listed


async def has_title(window: Window, title: str) -> None:
    """Wait until the open room, or the list, has this heading."""
    await window.page.locator(".jp-WsHub-chatTitle").get_by_text(title, exact=True).wait_for()


async def no_dialog(window: Window) -> None:
    """Wait until no dialog is open."""
    await window.page.wait_for_selector(DIALOG, state="detached")


async def make_private_room(alice: Window) -> None:
    """With the keyboard alone; a title that the server refuses comes back with what it says."""
    page = alice.page
    await page.focus('[aria-label="All rooms"]')
    await press(alice, "Enter")
    await has_focus(alice, "general")
    await press(alice, "Tab")
    await has_focus(alice, "New room…")
    await press(alice, "Enter")
    await has_focus(alice, "Title")
    await page.locator(f"{DIALOG} button:disabled").get_by_text("Create").wait_for()
    await press(alice, "Enter")
    await page.keyboard.type("General")
    await press(alice, "Enter")
    await page.wait_for_selector(f"{DIALOG} [role=alert]")
    await has_focus(alice, "Title")
    assert await page.input_value(f"{DIALOG} input >> nth=0") == "General"
    await alice.screenshot("room-refused")
    await page.keyboard.type("Secret plan")
    await press(alice, "Tab", "Space", "Tab")
    await page.keyboard.type("carol\nnobody")
    assert await serious_violations(page, DIALOG) == []
    await alice.screenshot("room-new")
    await press(alice, "Tab", "Tab", "Enter")
    await page.wait_for_selector('.jp-WsHub-room[data-room="secret-plan"][data-ready="true"] textarea:focus')


async def rename_it(alice: Window) -> None:
    """By keyboard: the first item is active, and the focus is where it was after the menu, and after the dialog."""
    await alice.page.focus(f'[aria-label="{MENU}"]')
    await press(alice, "Enter")
    await alice.page.wait_for_selector(".lm-Menu-item.lm-mod-active:has-text('Rename…')")
    assert await serious_violations(alice.page, ".lm-Menu") == []
    await alice.screenshot("room-menu")
    await press(alice, "Escape")
    await has_focus(alice, MENU)
    assert await alice.page.locator(".lm-Menu").count() == 0
    await press(alice, "Enter", "Enter")
    await has_focus(alice, "Title")
    await press(alice, "Escape")
    await no_dialog(alice)
    await has_focus(alice, MENU)
    await press(alice, "Enter", "ArrowUp", "ArrowDown", "Enter")
    await has_focus(alice, "Title")
    await alice.page.keyboard.type("The plan")
    await press(alice, "Enter")
    await has_title(alice, "The plan")
    await has_focus(alice, MENU)


async def only_look_at_members(carol: Window) -> None:
    """What a member can do who is no moderator."""
    await carol.page.get_by_label(MENU).click()
    await carol.page.wait_for_selector(".lm-Menu-item")
    labels = await carol.page.locator(".lm-Menu-item .lm-Menu-itemLabel").all_inner_texts()
    assert labels == ["Members…", "Export…"]
    await press(carol, "ArrowDown", "Enter")
    await carol.page.wait_for_selector(DIALOG)
    await carol.screenshot("room-members-of-others")
    assert await carol.page.locator(f"{DIALOG} textarea").get_attribute("readonly") is not None
    await press(carol, "Escape")
    await no_dialog(carol)


async def test_a_private_room_is_for_its_members_and_who_is_taken_out_is_told(
    lab: RealServer, open_window: Opener
) -> None:
    alice, bob, carol = await asyncio.gather(*(open_window(lab, user=name) for name in ("alice", "bob", "carol")))
    for window in (alice, bob, carol):
        await enter(window)
    await list_rooms(bob)
    await make_private_room(alice)
    await list_rooms(carol)
    await carol.page.wait_for_function(f"() => ({ROWS})().includes('secret-plan')")
    await say(alice, "between us")
    await carol.page.wait_for_selector('[data-room="secret-plan"] .jp-WsHub-badge')
    await carol.screenshot("rooms-unread")
    await go(carol, "secret-plan")
    await sees(carol, ["between us"])
    await rename_it(alice)
    await has_title(carol, "The plan")
    await only_look_at_members(carol)
    await choose(alice, MENU, "Members…")
    await has_focus(alice, "Usernames, one a line")
    await alice.screenshot("room-members")
    await alice.page.fill(f"{DIALOG} textarea", "alice")
    await alice.page.get_by_role("button", name="Save").click()
    await is_told(carol, "You are not in the room “The plan” any more")
    await has_title(carol, "Rooms")
    assert await rooms(carol) == await rooms(bob) == ["general"]
    await choose(alice, MENU, "Members…")
    await alice.page.get_by_role("button", name="Leave").click()
    await alice.page.wait_for_selector(f"{DIALOG} [role=alert]")
    await alice.screenshot("room-last-member")
    await press(alice, "Escape")
    await no_dialog(alice)
    assert [window.errors for window in (alice, bob, carol)] == [[], [], []]


async def go_with_half_a_sentence(bob: Window) -> None:
    """What was begun in a room is there still after a look into another one."""
    await list_rooms(bob)
    await go(bob, "lunch")
    await bob.page.keyboard.type("half a sentence")
    await list_rooms(bob)
    await go(bob, "general")
    await list_rooms(bob)
    await go(bob, "lunch")
    assert await bob.page.input_value(".jp-WsHub-input textarea >> nth=0") == "half a sentence"


async def test_a_room_is_archived_opened_again_and_deleted_while_another_has_it_open(
    lab: RealServer, open_window: Opener
) -> None:
    alice, bob = await asyncio.gather(*(open_window(lab, user=name) for name in ("alice", "bob")))
    await enter(alice)
    await enter(bob)
    await list_rooms(alice)
    await alice.page.click(".jp-WsHub-newRoom")
    await has_focus(alice, "Title")
    await alice.page.keyboard.type("Lunch")
    await press(alice, "Enter")
    await has_title(alice, "Lunch")
    await say(alice, "pizza?")
    await go_with_half_a_sentence(bob)
    await choose(alice, MENU, "Archive")
    for window in (alice, bob):
        await window.page.wait_for_selector(".jp-WsHub-archived")
        assert await window.page.locator(".jp-WsHub-input").is_hidden()
    await alice.screenshot("room-archived")
    assert await bob.page.get_by_role("button", name="Open again").count() == 0
    await alice.page.get_by_role("button", name="Open again").click()
    await bob.page.wait_for_selector(".jp-WsHub-archived", state="detached")
    await choose(alice, MENU, "Delete…")
    await has_focus(alice, "Cancel")
    await alice.screenshot("room-delete")
    await press(alice, "Enter")
    await no_dialog(alice)
    assert await bob.page.locator(".jp-WsHub-room[data-room=lunch]").count() == 1
    await choose(alice, MENU, "Delete…")
    await has_focus(alice, "Cancel")
    await press(alice, "ArrowRight", "Enter")
    await has_title(alice, "Rooms")
    await bob.page.wait_for_selector(".Toastify__toast")
    await bob.screenshot("room-deleted")
    await is_told(bob, "You are not in the room “Lunch” any more")
    await has_title(bob, "Rooms")
    assert "lunch" not in await rooms(bob) + await rooms(alice)
    assert await alice.page.locator(".Toastify__toast").count() == 0
    assert await serious_violations(alice.page, f"#{CHAT}") == []
    assert alice.errors == bob.errors == []
