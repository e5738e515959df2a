"""Search: the space of parameters, and the strategies that ask for a point and are told results."""
