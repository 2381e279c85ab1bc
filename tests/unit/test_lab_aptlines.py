"""Which of this machine's apt sources the lab's base image is made from."""

from __future__ import annotations

import pytest

from lab.aptlines import KEYRING, lines_of

DEB = f"deb [signed-by={KEYRING}] http://mirror.example/debian/"
MAIN = "http://mirror.example/debian/ bookworm main Debian"


@pytest.mark.parametrize(
    ("targets", "lines"),
    [
        ("", []),
        (MAIN, [f"{DEB} bookworm main"]),
        (f"{MAIN}\n{MAIN}", [f"{DEB} bookworm main"]),
        (
            f"{MAIN}\nhttp://mirror.example/debian/ bookworm-updates main Debian",
            [f"{DEB} bookworm main", f"{DEB} bookworm-updates main"],
        ),
        (f"{MAIN}\nhttps://other.example/apt bookworm main Other", [f"{DEB} bookworm main"]),
        (f"{MAIN}\nhttp://mirror.example/debian/ bookworm non-free Debian", [f"{DEB} bookworm main"]),
        (f"{MAIN}\nhttp://mirror.example/debian/ bookworm-backports main Debian", [f"{DEB} bookworm main"]),
        ("http://mirror.example/debian/ bookworm-security main Debian", []),
        ("http://mirror.example/ubuntu noble main Ubuntu", []),
        ("http://mirror.example/debian/ bookworm main $(ORIGIN)", []),
        ("http://someone:secret@mirror.example/debian/ bookworm main Debian", []),
        ("file:/media/cdrom bookworm main Debian", []),
    ],
)
def test_lines(targets: str, lines: list[str]) -> None:
    assert lines_of(targets) == lines
