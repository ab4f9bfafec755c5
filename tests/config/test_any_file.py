"""Nothing that stands in a file escapes with anything but ConfigError, and each error names a line that is there."""

import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config import InsideComponent, InsideServer, InsideSip, load
from gateway.config.sample import sample
from gateway.errors import ConfigError

VALUES = [
    "5",
    "-1",
    "1.5",
    "nan",
    "9" * 400,
    '"~nobody-at-all/x"',
    '{ file = "\\u0000" }',
    "inf",
    "true",
    '""',
    '"x"',
    '"@"',
    '"a/b"',
    '"*."',
    '"[::1"',
    '"\\u0000"',
    '"xn--a"',
    "[]",
    "[5]",
    "[[]]",
    '["corp.example", "corp.example"]',
    "{}",
    "{ x = 1 }",
    '{ file = "/" }',
    "1979-05-27",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([InsideServer, InsideComponent, InsideSip]), st.integers(0, 200), st.sampled_from(VALUES))
def test_any_value_anywhere_is_accepted_or_refused_in_words(
    tmp_path: Path, inside: type, place: int, value: str
) -> None:
    (tmp_path / "component").write_text("canary")
    lines = sample(every=True, inside=inside).splitlines()
    settings_at = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    chosen = settings_at[place % len(settings_at)]
    lines[chosen] = f"{lines[chosen].split(' = ')[0]} = {value}"
    path = tmp_path / "gateway.toml"
    path.write_text("\n".join(lines))
    try:
        load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    except ConfigError as problem:
        for line in str(problem).splitlines():
            found = re.match(r"gateway\.toml:(\d+): \S", line)
            assert found, line
            assert 1 <= int(found[1]) <= len(lines)
