"""gateway.toml to frozen classes and policy values, every error with its line."""

from gateway.config.building import Config, PartnerRoute
from gateway.config.changes import changes, restart_needed
from gateway.config.loading import load
from gateway.config.sections import (
    InsideComponent,
    InsideServer,
    Limits,
    MetricsPage,
    OutsideXmpp,
    Tls,
)
from gateway.config.values import Addresses, Auth, Endpoint, InsideAuth, LogLevel, Secret, Targets, Trust

__all__ = [
    "Addresses",
    "Auth",
    "Config",
    "Endpoint",
    "InsideAuth",
    "InsideComponent",
    "InsideServer",
    "Limits",
    "LogLevel",
    "MetricsPage",
    "OutsideXmpp",
    "PartnerRoute",
    "Secret",
    "Targets",
    "Tls",
    "Trust",
    "changes",
    "load",
    "restart_needed",
]
