"""The only code that writes to the data root: create_once, append, claim, publish and replace.

Limits first.
Renames, links and locks are as good as the file system: local disks and NFSv4 are meant.
A write is durable only where the caller asks for it, and a rename without replacing is safe
only under a lock that every writer of that place takes.

Every call to the operating system that changes something goes through ``Operations``.
The crash tests put their own in its place, count the calls, and kill the process at each.
"""

from __future__ import annotations

from hermes.files.folders import (
    Syncing,
    make_folder,
    remove,
    remove_folder,
    remove_tree,
    set_mode,
    sync_folder,
    sync_paths,
)
from hermes.files.growing import Stream, append, held, rewrite_locked
from hermes.files.names import claim, locked, place_folder, publish_folder
from hermes.files.operations import Operations, use
from hermes.files.reading import exists, list_folder, read, read_before, read_lines
from hermes.files.temporary import is_temporary, temporary_beside, temporary_for, temporary_owner
from hermes.files.whole import (
    create_once,
    detach,
    give_name,
    overwrite,
    replace,
    set_aside,
    write_new,
)

__all__ = [
    "Operations",
    "Stream",
    "Syncing",
    "append",
    "claim",
    "create_once",
    "detach",
    "exists",
    "give_name",
    "held",
    "is_temporary",
    "list_folder",
    "locked",
    "make_folder",
    "overwrite",
    "place_folder",
    "publish_folder",
    "read",
    "read_before",
    "read_lines",
    "remove",
    "remove_folder",
    "remove_tree",
    "replace",
    "rewrite_locked",
    "set_aside",
    "set_mode",
    "sync_folder",
    "sync_paths",
    "temporary_beside",
    "temporary_for",
    "temporary_owner",
    "use",
    "write_new",
]
