"""Every case by its name (F13, the partition of a cluster, and F17, versions side by side, have no subject here)."""

from collections.abc import Mapping

from tests.faults import killing
from tests.faults.case import Case

CASES: Mapping[str, Case] = {case.name: case for case in (*killing.CASES,)}
