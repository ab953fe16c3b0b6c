"""Terminals: clients on the PTYs of the server's one terminal manager. No socket, no service."""
