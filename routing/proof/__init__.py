"""What is proved of rules ahead of calls. Nothing that serves a call imports it."""
