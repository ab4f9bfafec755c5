"""Puts the spool between the relay and the legs."""

from collections.abc import Callable
from typing import Any

from gateway.config import Config
from gateway.house import House
from gateway.metrics import Metrics
from gateway.queues.spool import Spool
from gateway.store.spool import SpoolStore

NAME = "spool.db"


def spool_of(config: Config, house: House, metrics: Metrics, reactor: Any, now: Callable[[], float]) -> Spool:
    """Opens the spool in the state folder; the house uses it unless it is switched off. Raises StoreError."""
    spool = Spool(SpoolStore(config.state / NAME, reactor), config.spool, metrics, reactor, now)
    spool.deliver = house.relay.resend
    spool.reconsider = house.reconsider
    spool.refuse = house.relay.refuse
    spool.expired = house.undeliverable
    spool.dead_seconds = config.limits.queue_seconds
    if config.spool.on:
        house.relay.spool = spool
    return spool
