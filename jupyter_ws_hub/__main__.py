"""`python -m jupyter_ws_hub`: a plain Jupyter server with the extension on; `--help-all` lists its settings."""

from __future__ import annotations

from .app import main

if __name__ == "__main__":
    main()
