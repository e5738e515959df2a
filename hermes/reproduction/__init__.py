"""Whether a run that was run again gave what its record says: pure comparison, and its records."""
