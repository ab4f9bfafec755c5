"""The part of the daemon that records messages, and that answers for all that is kept of somebody."""

from collections.abc import Callable

from gateway.config import Config
from gateway.house import House
from gateway.interfaces import Surroundings
from gateway.offices.archiving import Archiving
from gateway.offices.auditing import Auditing
from gateway.offices.rights import Rights, Stores
from gateway.policy.walls import Groups
from gateway.records.archive import Surroundings as AboutPeople
from gateway.taps import Taps


class Recording(Archiving, Rights):
    """Opens the archive, if there is to be one, and knows the places in which something is kept."""

    def open_archive(
        self,
        config_of: Callable[[], Config],
        surroundings: Surroundings,
        house: House,
        groups: Callable[[str], Groups],
        taps: Taps,
        stores: Stores,
        auditing: Auditing,
    ) -> None:
        """Raises GatewayError when the archive that the configuration names cannot be opened."""
        known = AboutPeople(
            lambda envelope: house.relay.pair_of(envelope).facts,
            groups,
            lambda domain: config_of().partners.of(domain),
        )
        config = config_of()
        Archiving.__init__(self, config, surroundings, surroundings.metrics, known)
        if self.archive is not None:
            taps.add(self.archive)
        Rights.__init__(self, house, stores, (auditing, self), config.state, surroundings.reactor)
