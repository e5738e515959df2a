"""The hold-out: measures the code in the present folder on texts with worse typos.

It lies outside of the workspace, so whoever changes the code never sees it, and it is asked only
about a candidate that would be accepted. One wrong answer is enough to fail.
"""

import json
import os
import sys
from statistics import median

sys.path.insert(0, os.getcwd())  # the lab's own copy of the benchmark, and the candidate
import benchmark

benchmark.check_cases()
shares, right = benchmark.measure(benchmark.PAIRS, most_edits=3)
if right < 1:
    sys.exit(f"only {right:.0%} of the answers are right")
print(json.dumps({"relative_time": median(shares)}))
