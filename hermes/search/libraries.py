"""Whether the optional library of a strategy is there; asked before anything is created.

Limits: a library is looked for, not imported, so one that is broken is found out by its use.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from hermes.errors import RequestError


def need(what: str, package: str, *, least: int = 0, install: str) -> None:
    """Refuse ``what`` when ``package`` is missing, or its major version is below ``least``.

    ``install`` is what pip is to be given. Raises RequestError.
    """
    remedy = f"Install it: pip install {install}"
    try:
        found = version(package)
    except PackageNotFoundError:
        raise RequestError(f"{what} needs {package}, which is not installed.", remedy) from None
    if int(found.partition(".")[0]) < least:
        fault = f"{what} needs {package} {least} or later, and {found} is installed."
        raise RequestError(fault, remedy)
