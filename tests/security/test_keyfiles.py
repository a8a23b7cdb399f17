"""Secrets in files."""

import threading
from pathlib import Path

from tests.ending import PATIENCE, join
from tgm.security import keyfiles


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_secret_is_made_once_and_only_its_user_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret"
    assert keyfiles.read_or_make(path, lambda: "first") == "first"
    assert keyfiles.read_or_make(path, lambda: "second") == "first"
    assert mode(path) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("given")
    path.chmod(0o644)
    assert keyfiles.read_or_make(path, lambda: "other") == "given"
    assert mode(path) == 0o600


def test_starting_together_all_get_the_same_secret(tmp_path: Path) -> None:
    path, got = tmp_path / "secret", []
    barrier = threading.Barrier(8)

    def start(number: int) -> None:
        barrier.wait(PATIENCE)
        got.append(keyfiles.read_or_make(path, lambda: f"secret {number}"))

    threads = [threading.Thread(target=start, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    join(*threads)
    assert len(set(got)) == 1


def test_replacing_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    keyfiles.read_or_make(path, lambda: "old")
    keyfiles.replace(path, "new")
    assert path.read_text() == "new\n"
    assert mode(path) == 0o600
