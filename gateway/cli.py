"""The command line, made from the registry of commands; it never asks questions and never shows a traceback."""

import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from gateway import __version__
from gateway.commands import COMMANDS, MOST_FILE, Command, Parameter, Where, run_offline
from gateway.config.bundle import Bundle
from gateway.errors import CommandError, ConfigError, GatewayError
from gateway.log import escape
from gateway.web.control_client import ask

PLACES = (Path("/etc/gateway/gateway.toml"), Path("gateway.toml"))
"""Where the configuration is looked for when neither --config nor $GATEWAY_CONFIG names it."""
STATE = Path("/var/lib/gateway")
"""The state folder when the configuration names none."""
FAILED = 2
_GROUPS = {
    "contacts": "Who outside may see a person.",
    "requests": "Contacts who ask to see somebody.",
    "publish": "What a person publishes, and what he keeps back.",
    "levels": "Access levels: who may see how much.",
    "partners": "Federation partners.",
    "ledger": "What left, about whom, to whom.",
    "policy": "The policy as a whole: compare, put in force, go back, test.",
    "archive": "Who has spoken with whom, and what was said.",
    "users": "All that is kept of somebody.",
    "history": "Conversations in the mailboxes of our people.",
    "traces": "Protocol logs that run.",
    "telemetry": "The usage report.",
}


@frozen
class Choices:
    """Is what was said before the command: configuration, socket, and the form of the answer."""

    config: Path | None
    socket: Path | None
    as_json: bool

    def configured(self) -> Path | None:
        """Gives the configuration that was named, or the first that is in a usual place."""
        return self.config or next((place for place in PLACES if place.exists()), None)

    def control(self) -> Path:
        """Gives the control socket: as named, else as the configuration says."""
        return self.socket or _socket_of(self.configured())


def _socket_of(config: Path | None) -> Path:
    """Reads no more than it needs: a daemon can be asked while its file has mistakes in it."""
    if config is None:
        return STATE / "control.sock"
    try:
        section = tomllib.loads(config.read_text("utf-8")).get("gateway", {})
        state, control = Path(section.get("state", STATE)), section.get("control")
        return config.absolute().parent / (Path(control) if control else state / "control.sock")
    except OSError as problem:
        raise CommandError(f"cannot read {config}: {problem.strerror}; name the socket with --socket") from None
    except (ValueError, AttributeError, TypeError):
        raise CommandError(f"cannot find the socket's place in {config}; name it with --socket") from None


class _Program(click.Group):
    """Turns every expected error into one line and status 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as problem:
            raise click.exceptions.Exit(_misused(problem)) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as problem:
            return ctx.exit(_misused(problem))
        except GatewayError as problem:
            _complain(str(problem))
        except KeyboardInterrupt:
            ctx.exit(130)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise
        except Exception as problem:  # noqa: BLE001 a person at a terminal gets one line, whatever happened
            place = _place(problem)
            _complain(f"unexpected {type(problem).__name__} at {place}; this is a defect, please report it")
        return ctx.exit(FAILED)


def _complain(text: str) -> None:
    for line in text.splitlines() or [""]:
        click.echo(f"gateway: {escape(line, 1000)}", err=True)


def _misused(problem: click.UsageError) -> int:
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        problem.show()
        return FAILED
    path = problem.ctx.command_path if problem.ctx else "gateway"
    _complain(f"{problem.format_message().rstrip('.')}; see {path} --help")
    return FAILED


def _place(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "nowhere"


_CONFIG = click.Option(
    ["--config"],
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="GATEWAY_CONFIG",
    metavar="F",
    help=f"Configuration; default: {', '.join(map(str, PLACES))}.",
)
_SOCKET = click.Option(
    ["--socket"],
    type=click.Path(path_type=Path),
    envvar="GATEWAY_SOCKET",
    metavar="S",
    help="Control socket of the daemon; default: as configured.",
)
_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Answer in JSON.")


def _shared() -> list[click.Parameter]:
    """The shared options stand before or after the command; after it they count."""
    return [_CONFIG, _SOCKET, _JSON]


def _choices(ctx: click.Context, values: dict[str, Any]) -> Choices:
    before: dict[str, Any] = ctx.find_root().params
    named = {name: values.pop(name, None) or before.get(name) for name in ("config", "socket", "as_json")}
    return Choices(named["config"], named["socket"], bool(named["as_json"]))


class _Configuration(click.ParamType[str]):
    """Is the name of a gateway.toml; its value are the texts of it and of the conf.d beside it."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return Bundle.of(Path(value)).written()
        except ConfigError as problem:
            self.fail(str(problem), param, ctx)


def _click_parameter(parameter: Parameter) -> click.Parameter:
    kind: click.ParamType[Any] = click.Choice(parameter.choices) if parameter.choices else click.STRING
    if parameter.many:
        return click.Argument([parameter.name], type=kind, nargs=-1)
    if parameter.bundle:
        return click.Argument([parameter.name], type=_Configuration())
    if parameter.file:
        return click.Argument([parameter.name], type=click.File("r", encoding="utf-8-sig"))
    said = [f"--{(parameter.option or parameter.name).replace('_', '-')}", parameter.name]
    if parameter.flag:
        return click.Option(said, flag_value="yes", type=kind, help=parameter.text.capitalize() + ".")
    if parameter.optional:
        return click.Option(said, type=kind, help=parameter.text.capitalize() + ".")
    return click.Argument([parameter.name], type=kind)


def _click_command(command: Command) -> click.Command:
    def run(**values: Any) -> None:
        ctx = click.get_current_context()
        choices = _choices(ctx, values)
        arguments = {name: _value(v) for name, v in values.items() if v is not None}
        result = _carry_out(command, arguments, choices)
        indent = 1 if command.part is None else None  # what comes in parts is one document a line
        click.echo(json.dumps(result, indent=indent) if choices.as_json else command.render(result))
        ctx.exit(command.grade(result))

    names = [f"{p.name.upper()}: {p.text}." for p in command.parameters if not p.optional]
    return click.Command(
        command.words[-1],
        callback=run,
        params=[*map(_click_parameter, command.parameters), *_shared()],
        help="\n\n\b\n".join([command.summary, *(["\n".join(names)] if names else [])]),
        short_help=command.summary,
    )


def _value(given: Any) -> Any:
    """Gives an argument as commands take it: a file as what stands in it."""
    if isinstance(given, tuple):
        return list(given)
    if not hasattr(given, "read"):
        return given
    try:
        return given.read(MOST_FILE + 1)
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"cannot read {given.name} as UTF-8") from None


def _carry_out(command: Command, arguments: dict[str, Any], choices: Choices) -> Any:
    if command.where is Where.DAEMON:
        # Checked here as well: what is wrong should be told even when no daemon runs.
        command.read(arguments)
        show = command.part
        if show is None:
            return ask(choices.control(), command.words, arguments)

        def follow(part: Any) -> None:
            click.echo(json.dumps(part) if choices.as_json else show(part))

        return ask(choices.control(), command.words, arguments, follow=follow)
    config = choices.config if command.words == ("table",) else choices.configured()
    return run_offline(command, config, arguments)


def _run(**values: Any) -> None:
    choices = _choices(click.get_current_context(), values)
    config = choices.configured()
    if config is None:
        raise CommandError(f"no configuration: name one with --config F, or write {PLACES[0]}")
    from gateway.serving import run

    click.get_current_context().exit(run(config) or 0)


def _demo(**values: Any) -> None:
    choices = _choices(click.get_current_context(), values)
    from gateway.demo import main as demo

    click.get_current_context().exit(demo(seconds=values["seconds"], as_json=choices.as_json) or 0)


def _special(name: str, callback: Callable[..., None], text: str, *parameters: click.Parameter) -> click.Command:
    return click.Command(name, callback=callback, params=[*parameters, *_shared()], help=text)


def program() -> click.Group:
    """Makes the program from the registry."""
    root = _Program("gateway", params=_shared(), help="A federated presence and IM gateway.", no_args_is_help=True)
    root.params.append(_version_option())
    root.add_command(_special("run", _run, "Run the gateway until it is told to stop."))
    seconds = click.Option(
        ["--for", "seconds"], type=click.FloatRange(min=0), metavar="SECONDS", help="End after this."
    )
    root.add_command(_special("demo", _demo, "Show on this machine alone what the gateway does.", seconds))
    groups = {name: click.Group(name, help=text, no_args_is_help=True) for name, text in _GROUPS.items()}
    for command in COMMANDS:
        (groups[command.words[0]] if len(command.words) > 1 else root).add_command(_click_command(command))
    for group in groups.values():
        root.add_command(group)
    return root


def _version_option() -> click.Option:
    def show(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
        if wanted:
            click.echo(f"gateway {__version__}")
            ctx.exit(0)

    return click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show it.")


def main() -> None:
    """Is the console script `gateway`: status 0 well, 1 a warning or a negative answer, 2 an error."""
    try:
        program().main(prog_name="gateway")
    except BrokenPipeError:
        # Who reads the answer has gone; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
