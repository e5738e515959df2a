"""The doors of the lab: what doit and the command line see of it."""
