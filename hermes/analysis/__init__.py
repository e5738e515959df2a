"""What an experiment's runs say of its search; pure decisions over the records."""
