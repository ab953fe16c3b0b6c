"""Notifications: what they are, where they stand, who has read them."""
