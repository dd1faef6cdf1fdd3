"""A phone company in a box. Imports nothing of the router."""
