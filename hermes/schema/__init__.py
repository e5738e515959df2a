"""The JSON Schema of a SPEC, as package data: ``validation`` reads it, and so do editors."""
