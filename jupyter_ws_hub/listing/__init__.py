"""Directories: read, sorted, filtered and watched in a process of its own, so that the server's loop never waits.

What runs in that process (`worker` and what it imports) starts in some 50 ms: it must not import asyncio, tornado or
jupyter_server. `helper` is the server's end of it.
"""
