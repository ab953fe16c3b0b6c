"""Where messages and small values are kept: two ports, one contract, several adapters. See base.py."""
