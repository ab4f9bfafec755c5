"""The files of a configuration as one thing: its fingerprint, and how another one takes its place."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from attrs import field, frozen

from gateway.errors import ConfigError

FOLDER = "conf.d"
"""Folder beside the main file whose *.toml belong to the configuration."""
JOURNAL = ".before"
"""What is added to the main file's name for the file that holds the old texts while they are being replaced."""


@frozen
class Bundle:
    """Is the text of a main file, and of each file in conf.d by its name."""

    main: str = field(repr=False)
    partners: Mapping[str, str] = field(factory=dict, repr=False)

    @classmethod
    def of(cls, path: Path) -> "Bundle":
        """Reads a main file and its conf.d; raises ConfigError."""
        folder = sorted((path.parent / FOLDER).glob("*.toml"))
        return cls(_text(path), {each.name: _text(each) for each in folder})

    @classmethod
    def parse(cls, text: str) -> "Bundle":
        """Reads what `written` gives; raises ConfigError."""
        try:
            found = json.loads(text)
            main, partners = found["main"], dict(found["partners"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ConfigError("this is no configuration: name a file") from None
        if not all(isinstance(each, str) for each in (main, *partners, *partners.values())):
            raise ConfigError("this is no configuration: name a file")
        for name in partners:
            if name != Path(name).name or not name.endswith(".toml") or name.startswith("."):
                raise ConfigError(f"{name!r} is no file of conf.d")
        return cls(main, partners)

    def written(self) -> str:
        """Gives the whole as one text."""
        return json.dumps({"main": self.main, "partners": dict(self.partners)}, sort_keys=True)

    def fingerprint(self, name: str) -> str:
        """Gives the SHA-256 of the files, the main one of which has this name, as the ledger records it."""
        files = [(name, self.main), *sorted(self.partners.items())]
        return _digest((each, text.encode()) for each, text in files)


def fingerprint(path: Path) -> str:
    """Gives the SHA-256 of a configuration's files; of one that cannot be read, as though it were empty."""
    found = []
    for each in (path, *sorted((path.parent / FOLDER).glob("*.toml"))):
        content = b""
        with suppress(OSError):
            content = each.read_bytes()
        found.append((each.name, content))
    return _digest(found)


def replace(path: Path, bundle: Bundle) -> None:
    """Puts a bundle in the place of a configuration; raises ConfigError, and then the old one stands again.

    Each file is replaced whole. If the machine stops in between, `restore_interrupted` finds the old texts.
    """
    path = path.resolve()
    before = Bundle.of(path)
    journal = path.with_name(path.name + JOURNAL)
    try:
        _write(journal, before.written(), 0o600)
        _put(path, bundle)
    except OSError as problem:
        with suppress(OSError):
            _put(path, before)
            journal.unlink(missing_ok=True)
        place = problem.filename or path.parent
        raise ConfigError(f"the configuration cannot be written: {place}: {problem.strerror}") from None
    journal.unlink()


def restore_interrupted(path: Path) -> bool:
    """Restores the configuration that was being replaced when the machine stopped; says whether there was one."""
    path = path.resolve()
    journal = path.with_name(path.name + JOURNAL)
    if not journal.exists():
        return False
    try:
        _put(path, Bundle.parse(_text(journal)))
        journal.unlink()
    except OSError as problem:
        raise ConfigError(f"{journal} holds the configuration before, which cannot be restored: {problem}") from None
    return True


def _put(path: Path, bundle: Bundle) -> None:
    mode = path.stat().st_mode & 0o777
    folder = path.parent / FOLDER
    if bundle.partners:
        folder.mkdir(mode=0o700 | mode & 0o050, exist_ok=True)
    for name, text in bundle.partners.items():
        _write(folder / name, text, mode)
    for known in folder.glob("*.toml"):
        if known.name not in bundle.partners:
            known.unlink()
    _write(path, bundle.main, mode)
    _sync(path.parent)
    if folder.exists():
        _sync(folder)


def _write(path: Path, text: str, mode: int) -> None:
    """Writes a file whole under another name, then gives it its own; who owned it goes on owning it where possible."""
    with suppress(FileNotFoundError):
        if path.read_text("utf-8") == text:
            return
    other = path.with_name(f".{path.name}.new")
    other.unlink(missing_ok=True)
    with os.fdopen(os.open(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(other, mode)  # noqa: PTH101 whatever the umask is
    with suppress(OSError):
        known = path.stat()
        os.chown(other, known.st_uid, known.st_gid)
    other.replace(path)


def _sync(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8") from None


def _digest(files: Iterable[tuple[str, bytes]]) -> str:
    found = sha256()
    for name, content in files:
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()
