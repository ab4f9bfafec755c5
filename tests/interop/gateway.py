"""The gateway under test, as its administrator runs it."""

import subprocess
import sys
from pathlib import Path

from attrs import define, field

from .namespace import Namespace
from .process import LabError, Process
from .web import request


def staying_root(config: str) -> str:
    """Gives a configuration with which the gateway may stay root, as the laboratory's folders are root's."""
    said = 'user = "root"\n'
    return config if said in config else config.replace("[gateway]\n", f"[gateway]\n{said}", 1)


@define
class Gateway:
    """`gateway run --config F` inside the namespace; output in `process.text()`."""

    namespace: Namespace
    folder: Path
    resolv_conf: Path
    config: str
    ready_at: str | Path
    """The URL of the readiness page, or the path of the control socket."""
    timeout: float = 15.0
    program: tuple[str, ...] = (str(Path(sys.executable).parent / "gateway"),)
    """What stands before the command, e.g. a profiler."""
    process: Process = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.config_path.write_text(staying_root(self.config))
        argv = self._inside("run", "--config", str(self.config_path))
        self.process = Process("gateway", argv, self.folder / "gateway.log", folder=self.folder)

    @property
    def config_path(self) -> Path:
        """The file `--config` names."""
        return self.folder / "gateway.toml"

    @property
    def log(self) -> str:
        """Everything it wrote to stdout and stderr, over all starts."""
        return self.process.text()

    def start(self) -> None:
        """Start it and wait until it says that it is ready; raises LabError with the end of its log."""
        self.config_path.write_text(staying_root(self.config_path.read_text()))
        self.process.start()
        self.process.await_ready(self.ready, self.timeout)

    def ready(self) -> bool:
        """Whether it says that it is ready now."""
        if isinstance(self.ready_at, Path):
            return self.ready_at.is_socket()
        try:
            return request(self.namespace, "GET", self.ready_at)[0] == 200
        except OSError:
            return False

    def stop(self, timeout: float = 10.0) -> int | None:
        """Ask it to end (SIGTERM); its exit status. Raises LabError when the output guard has kept anything back."""
        status = self.process.stop(timeout)
        if "guard refused" in self.log:
            raise LabError("the output guard refused something:\n" + self.process.tail())
        return status

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()

    def restart(self, config: str | None = None) -> None:
        """Stop it, change its configuration when `config` is given, start it again."""
        self.stop()
        if config is not None:
            self.config_path.write_text(staying_root(config))
        self.start()

    def command(self, *arguments: str, timeout: float = 15.0) -> "subprocess.CompletedProcess[str]":
        """Run another command of the gateway's command line beside it, e.g. command("explain", …)."""
        argv = self._inside(*arguments)
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, cwd=self.folder, check=False)

    def _inside(self, *arguments: str) -> list[str]:
        return self.namespace.command(self.resolv_conf, *self.program, *arguments)
