"""What the tests of services begin ends with them."""

from __future__ import annotations

from ..chat.conftest import nothing_goes_on

__all__ = ["nothing_goes_on"]
