"""The only code that knows file names: where everything stands in a data root.

Pure: a ``Layout`` builds paths and takes names apart; it never looks at the disk.
A path is built when first asked for and kept: building one takes longer than most look-ups.
"""

from hermes.layout.bundle import BundleLayout
from hermes.layout.data_root import Layout
from hermes.layout.experiment import ExperimentLayout
from hermes.layout.names import (
    ADAPTERS,
    CONTROL_FOLDERS,
    EXPERIMENT_ID,
    PROJECTED_FROM,
    PROJECTIONS,
    RESERVED_IDS,
    RUN_ID,
    SET_ASIDE,
    STAGES,
    WORKER,
    PackageName,
    approval_id,
    approval_owner,
    call_id,
    dispatch_id,
    item_id,
    item_owner,
    package_name,
    parse_package,
    run_id,
)
from hermes.layout.package import ItemLayout, PackageLayout

__all__ = [
    "ADAPTERS",
    "CONTROL_FOLDERS",
    "EXPERIMENT_ID",
    "PROJECTED_FROM",
    "PROJECTIONS",
    "RESERVED_IDS",
    "RUN_ID",
    "SET_ASIDE",
    "STAGES",
    "WORKER",
    "BundleLayout",
    "ExperimentLayout",
    "ItemLayout",
    "Layout",
    "PackageLayout",
    "PackageName",
    "approval_id",
    "approval_owner",
    "call_id",
    "dispatch_id",
    "item_id",
    "item_owner",
    "package_name",
    "parse_package",
    "run_id",
]
