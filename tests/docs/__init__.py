"""The README and the docs: every file, command and link on them is tried."""
