"""Every case by its name (F13, the partition of a cluster, and F17, versions side by side, have no subject here)."""

from collections.abc import Mapping

from tests.faults import disk, handshaking, killing, peers, surroundings
from tests.faults.case import Case

CASES: Mapping[str, Case] = {
    case.name: case
    for case in sorted(
        (*killing.CASES, *disk.CASES, *handshaking.CASES, *peers.CASES, *surroundings.CASES),
        key=lambda case: int(case.name[1:]),
    )
}
