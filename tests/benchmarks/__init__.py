"""Benchmarks of a real server, side by side with naive peers: `python -m tests.benchmarks --help`, `make bench`.

Nothing here is a test: it measures, compares with the targets, and says so.
"""
