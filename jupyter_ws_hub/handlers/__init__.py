"""Tornado's side: authentication, origin, frames in and out. Handlers forward; they decide nothing."""
