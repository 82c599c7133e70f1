"""Processes that the SQLite tests start: ``python -m tests.stores.programs.NAME FILE``."""
