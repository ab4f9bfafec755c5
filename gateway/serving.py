"""Runs a daemon in the foreground: signals, the reactor, and the collector of garbage."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import ensureDeferred

from gateway import log as gateway_log
from gateway.config import load
from gateway.config.bundle import restore_interrupted
from gateway.daemon import Daemon
from gateway.errors import ConfigError, GatewayError
from gateway.log import Log
from gateway.privileges import give_up, lock
from gateway.transport.moderation import moderate
from gateway.transport.stalls import Stalls

log = Log("daemon")

NEW_OBJECTS = 3_000
"""New objects after which the cyclic collector looks for circles among them; Python's own 700 are few stanzas."""


def run(path: Path) -> int:
    """Runs a gateway in the foreground until a signal ends it; gives the exit status."""
    from twisted.internet import reactor

    try:
        restored = restore_interrupted(path)
        config = load(path)
        gateway_log.start(level=config.gateway.log.value)
        if restored:
            log.warn("configuration restored", path=str(path))
        give_up(config)
        daemon = Daemon(config, reactor)
    except ConfigError as problem:
        print(problem, file=sys.stderr)  # noqa: T201 the administrator is at the terminal
        return 2
    except GatewayError as problem:
        print(f"gateway: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    return serve(daemon, reactor, lock)


def serve(daemon: Daemon, reactor: Any, begun: Callable[[], object] = lambda: None) -> int:
    """Runs the reactor around a daemon: SIGHUP reloads, SIGINT and SIGTERM stop it cleanly.

    `begun` is called once every door is open.
    """
    outcome = {"status": 0}

    async def begin() -> None:
        try:
            await daemon.start()
        except (GatewayError, OSError) as problem:
            print(f"gateway: {problem}", file=sys.stderr)  # noqa: T201
            outcome["status"] = 2
            reactor.stop()
        except Exception:  # noqa: BLE001 a daemon that could not start must not stand there in silence
            log.failure("start failed")
            outcome["status"] = 2
            reactor.stop()
        else:
            _spare_collector()
            begun()

    def hang_up(*_: object) -> None:
        reactor.callFromThread(_reloaded, daemon)

    reactor.callWhenRunning(lambda: ensureDeferred(begin()))
    reactor.addSystemEventTrigger("before", "shutdown", lambda: ensureDeferred(daemon.stop()))
    signal.signal(signal.SIGHUP, hang_up)
    stalls = Stalls(daemon.metrics.reactor_stalls().observe)
    stalls.watch(reactor)
    moderate(reactor, stalls)
    os.umask(0o077)
    reactor.run()
    return outcome["status"]


def _spare_collector() -> None:
    """Keeps the cyclic collector from walking, while stanzas come in bulk, over what lives as long as the daemon."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)


def _reloaded(daemon: Daemon) -> None:
    try:
        daemon.reload()
    except GatewayError as problem:
        log.warn("reload failed", detail=problem)
