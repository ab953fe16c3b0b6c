"""Notifications from programs: kernels, scripts and shells find their server and post to it. Standard library only.

It runs in other people's programs: importing it costs next to nothing, and it imports nothing of the server.
"""
