"""`python -m jupyter_ws_hub.cli`: the same as `jupyter ws-hub`."""

from __future__ import annotations

import sys

from .main import main

if __name__ == "__main__":
    sys.exit(main())
