"""The Catapult v1 platform: what it says and how to speak to it."""
