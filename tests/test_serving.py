"""What a start does before there is a daemon."""

from pathlib import Path

from gateway.config.bundle import Bundle
from gateway.serving import run


def test_a_configuration_that_was_being_replaced_is_restored_first(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text("# half of the new one\n")
    before = Bundle("[broken\n", {"p.toml": "# a partner\n"})
    journal = tmp_path / "gateway.toml.before"
    journal.write_text(before.written())
    assert run(path) == 2, "the one before is what is read, with its mistake"
    assert Bundle.of(path) == before and not journal.exists()
