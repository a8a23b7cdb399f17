"""README's tables say what the program does."""

from collections.abc import Iterator

import click

from tgm.cli import tgm
from tgm.secretfiles import ENCRYPTION_KEYS_FILE, SESSION_KEY_FILE
from tgm.security.secret import Secret
from tgm.settings import OPTIONS, PROJECT

README = (PROJECT / "README.md").read_text()


def test_it_opens_with_the_two_commands() -> None:
    first = README.partition("```sh\n")[2].partition("```")[0]
    assert [line.partition("#")[0].strip() for line in first.splitlines()] == [
        "make run",
        "make test",
    ]


def test_it_gives_the_settings_defaults() -> None:
    for option in OPTIONS:
        default = option.default.value if isinstance(option.default, Secret) else option.default
        if isinstance(default, str | int):
            row = f"| `{option.name}` | `{default}` |"
            assert row in README, f"README's table of settings should say: {row}"


def test_it_lists_every_command_with_its_options() -> None:
    for words, command in commands(tgm):
        row = next((line for line in README.splitlines() if line.startswith(f"| `{words}")), "")
        assert row, f"Give `{words}` a line in README's table of commands"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "team":
                assert parameter.opts[0] in row, f"README's line of {words} lacks {parameter.opts}"


def test_it_says_where_the_secrets_are() -> None:
    for name in (ENCRYPTION_KEYS_FILE, SESSION_KEY_FILE, "tgm.sqlite3"):
        assert f"| `{name}`" in README


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command
