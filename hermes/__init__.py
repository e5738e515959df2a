"""Hermes Lab: a file-first lab that runs experiments unattended."""

__version__ = "0.1.0"
