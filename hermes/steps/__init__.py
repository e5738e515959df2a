"""The verbs of the lab: one function a step, each idempotent on files."""
