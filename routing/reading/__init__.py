"""Reading a rules file: one module a section. `routing.reader` is the door."""
