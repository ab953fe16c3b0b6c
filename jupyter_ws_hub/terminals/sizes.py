"""How large a terminal is that several people look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

ACTIVE_S: Final = 600.0
"""Who did nothing for so long has forgotten the tab; it does not make the terminal small for the others."""


class Extent(NamedTuple):
    """A terminal's size. Zero pixels: not known."""

    rows: int
    columns: int
    width_px: int = 0
    height_px: int = 0


NO_EXTENT: Final = Extent(0, 0)


class Vote(NamedTuple):
    """One client's size, and how much it counts."""

    extent: Extent
    visible: bool = True
    active_s: float = float("inf")
    """When its person last did something, by the monotonic clock; infinite where that is not known."""


def smallest(votes: Iterable[Vote], now_s: float) -> Extent | None:
    """The smallest size of those that are visible and active, else of the visible; None if nobody is."""
    visible = [vote for vote in votes if vote.visible and vote.extent.rows and vote.extent.columns]
    counted = [vote.extent for vote in visible if now_s - vote.active_s < ACTIVE_S]
    counted = counted or [vote.extent for vote in visible]
    if not counted:
        return None
    return Extent(
        rows=min(extent.rows for extent in counted),
        columns=min(extent.columns for extent in counted),
        width_px=_least_known(counted, lambda extent: extent.width_px),
        height_px=_least_known(counted, lambda extent: extent.height_px),
    )


def _least_known(extents: Sequence[Extent], of: Callable[[Extent], int]) -> int:
    return min((of(extent) for extent in extents if of(extent)), default=0)
