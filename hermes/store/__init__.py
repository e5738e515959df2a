"""The hands that own files: one module for each kind of file, independent of each other."""
