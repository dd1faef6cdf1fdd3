"""The command line, under `flask`."""
