"""The house's rules, where a tool does not hold them already."""

import ast
import re
from pathlib import Path

import pytest

from tgm.cli import tgm
from tgm.cli.frame import Group
from tgm.settings import OPTIONS, PROJECT

LONGEST_FILE = 300
LONGEST_FUNCTION = 50
SOURCES = sorted((PROJECT / "tgm").rglob("*.py"))
TOP_LEVEL = {
    "tgm",
    "templates",
    "static",
    "instance",
    "tests",
    "wsgi.py",
    "requirements.txt",
    "README.md",
    "pyproject.toml",
    "Makefile",
    "bench",
    "deploy",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    assert lines <= LONGEST_FILE, f"{path.name} has {lines} lines: what are its two subjects?"
    if "migrations" in path.parts:
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{path.name}: {node.name} has {length} lines"


def test_nothing_new_lies_at_the_top() -> None:
    found = {entry.name for entry in PROJECT.iterdir() if not entry.name.startswith(".")}
    assert found - TOP_LEVEL - {"__pycache__"} == set()


def test_readme_documents_every_setting() -> None:
    readme = (PROJECT / "README.md").read_text()
    missing = [o.name for o in OPTIONS if f"`{o.name}`" not in readme]
    assert missing == [], f"Give these a line in README's table of settings: {missing}"


def test_readme_gives_a_reason_for_every_dependency() -> None:
    readme = (PROJECT / "README.md").read_text().lower()
    project = (PROJECT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert block is not None
    names = re.findall(r'"([A-Za-z0-9-]+)', block.group(1))
    assert len(names) > 10
    missing = [name for name in names if name.lower() not in readme]
    assert missing == [], f"Give these a line in README's table of dependencies: {missing}"


def test_readme_documents_every_command() -> None:
    readme = (PROJECT / "README.md").read_text()
    names = set()
    for name, command in tgm.commands.items():
        inner = command.commands if isinstance(command, Group) else {"": command}
        names |= {f"{name} {each}".strip() for each in inner}
    missing = sorted(name for name in names if f"`{name}" not in readme)
    assert missing == [], f"Give these a line in README's table of commands: {missing}"


def test_only_settings_reads_the_environment() -> None:
    # Snippets and lines are programs for others, which read their own.
    may = {"lines.py", "settings.py", "snippets.py"}
    readers = [
        path.name
        for path in SOURCES
        if re.search(r"os\.environ|getenv", path.read_text()) and path.name not in may
    ]
    assert readers == []
