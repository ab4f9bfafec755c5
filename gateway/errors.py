"""Every error that the house raises on purpose; the text is for the person who can act on it."""


class GatewayError(Exception):
    """Is the root of all errors that the gateway raises on purpose."""


class AddressError(GatewayError, ValueError):
    """Says why a text is not an address (RFC 7622)."""


class ConfigError(GatewayError):
    """Says what is wrong in a configuration file, one problem a line, each with `file:line`."""


class PluginError(GatewayError):
    """Says which plugin the configuration names that cannot be loaded."""


class StoreError(GatewayError):
    """Says why durable state cannot be read or written."""


class LedgerError(GatewayError):
    """Says where a disclosure ledger does not hold together, or why nothing can be recorded in it."""


class NotRunning(GatewayError):
    """Says that no daemon answers on the control socket."""


class CommandError(GatewayError):
    """Says why a command cannot be carried out as given."""
