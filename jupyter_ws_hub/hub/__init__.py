"""The domain of `/ws`: sessions, connections, lanes, routing, topics and replay. Knows no socket and no service."""
