"""The commands of the gateway, independent of how they are asked for."""

from gateway.commands.command import MOST_FILE, Command, Parameter, Where
from gateway.commands.operations import Operations
from gateway.commands.registry import COMMANDS, execute, find, run_offline

__all__ = ["COMMANDS", "MOST_FILE", "Command", "Operations", "Parameter", "Where", "execute", "find", "run_offline"]
