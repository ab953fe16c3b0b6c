"""Chat models behind the port `chat.assistant.Assistant`; other packages add theirs by entry point.

Nothing is imported here: the process of the local model imports this package, and is to stay small.
"""
