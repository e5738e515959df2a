"""Executing a run: its sandbox, its commands, its logs and its measurement."""
