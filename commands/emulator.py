"""`flask emulator`: the phone company alone, on a port."""

from emulator.__main__ import emulator_command

__all__ = ["emulator_command"]
