"""Conversations: rooms, what is said in them, who is there, and the answers of assistants. Knows no service."""
