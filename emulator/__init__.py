"""A phone company in a box: the Catapult v1 voice API over HTTP, with people who call and answer.

It imports nothing of the router and agrees with it only through the platform's wire contract.
"""

from emulator.server import Emulator

__all__ = ["Emulator"]
