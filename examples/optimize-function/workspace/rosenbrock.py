"""The Rosenbrock function at the point in config.json: a curved valley, lowest (0) at x = y = 1."""

import json

with open("config.json") as stream:
    config = json.load(stream)

x, y = config["point"]["x"], config["point"]["y"]
a, b = config["valley"]["floor"], config["valley"]["steepness"]

loss = (a - x) ** 2 + b * (y - x * x) ** 2
distance = ((x - a) ** 2 + (y - a * a) ** 2) ** 0.5

# The last line is the result: the metric, and beside it whatever else is worth recording.
print(json.dumps({"loss": loss, "distance": distance}))
