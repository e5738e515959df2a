"""Agents that answer prompts: one adapter a provider, behind one small protocol."""
