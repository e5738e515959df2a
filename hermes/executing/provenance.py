"""What is recorded of the machine that a run took place on; asked once per process."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache

from hermes.model import Json


@cache
def machine() -> Mapping[str, Json]:
    """Return the lab's Python, the system, the host's name and the number of processors."""
    system = os.uname()
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": f"{system.sysname}-{system.release}-{system.machine}",
        "host": system.nodename,
        "cpu_count": os.cpu_count(),
    }
