"""What is recorded of the machine that a run took place on; asked once per process."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import cache

from hermes.model import Json


@cache
def machine() -> Mapping[str, Json]:
    """Return the lab's own Python, the system, the host's name and the number of processors."""
    system = os.uname()
    return {
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "platform": f"{system.sysname}-{system.release}-{system.machine}",
        "host": system.nodename,
        "cpu_count": os.cpu_count(),
    }
