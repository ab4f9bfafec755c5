"""The archive: what it keeps is the house's to say, where it is kept the administrator's."""

from gateway.errors import ConfigError
from gateway.interfaces import Surroundings
from gateway.records.archive import Archive, rules_of
from gateway.store.archive import ArchiveStore, Place
from gateway.store.sealing import Keys


def build(surroundings: Surroundings) -> Archive:
    """Opens the archive that the configuration names; raises GatewayError."""
    config = surroundings.config
    if not config.archive.on or config.archive.key is None:
        raise ConfigError("[archive] on = true begins an archive; it needs no place in [gateway] taps")
    return Archive(
        ArchiveStore(Place.of(config), surroundings.reactor),
        Keys.parse(config.archive.key.text),
        rules_of(config),
        surroundings.metrics,
        surroundings.reactor,
        surroundings.now,
    )
