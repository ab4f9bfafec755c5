"""gateway.toml to frozen classes and policy values, every error with its line."""

from gateway.config.building import Config
from gateway.config.changes import changes, restart_needed
from gateway.config.directories import DirectoryCaldav, DirectoryFile, DirectoryIcal, DirectoryLdap
from gateway.config.legs import InsideComponent, InsideServer, InsideSip, OutsideSip, OutsideXmpp
from gateway.config.loading import load, load_bundle
from gateway.config.partnerships import Contract, PartnerRoute
from gateway.config.sections import Limits, MetricsPage, Tls
from gateway.config.spooling import SpoolTerms
from gateway.config.values import (
    Addresses,
    Auth,
    Endpoint,
    InsideAuth,
    LogLevel,
    Secret,
    SipTransport,
    Targets,
    Trust,
)

__all__ = [
    "Addresses",
    "Auth",
    "Config",
    "Contract",
    "DirectoryCaldav",
    "DirectoryFile",
    "DirectoryIcal",
    "DirectoryLdap",
    "Endpoint",
    "InsideAuth",
    "InsideComponent",
    "InsideServer",
    "InsideSip",
    "Limits",
    "LogLevel",
    "MetricsPage",
    "OutsideSip",
    "OutsideXmpp",
    "PartnerRoute",
    "Secret",
    "SipTransport",
    "SpoolTerms",
    "Targets",
    "Tls",
    "Trust",
    "changes",
    "load",
    "load_bundle",
    "restart_needed",
]
