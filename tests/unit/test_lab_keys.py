"""The lab's keys: made once, and readable by their owner alone."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from lab.files import LabFiles, digest
from lab.keys import ensure_keys, public_key, write_known_hosts

MACHINES = ["clx-mld-41", "swx-mld-1-2"]


@pytest.fixture
def files(tmp_path: Path) -> LabFiles:
    made = LabFiles(tmp_path)
    ensure_keys(made, MACHINES)
    return made


def test_everything_is_made_once(tmp_path: Path) -> None:
    files = LabFiles(tmp_path)
    assert ensure_keys(files, MACHINES) == [
        "client key",
        "host key of clx-mld-41",
        "host key of swx-mld-1-2",
        "switch password",
    ]
    before = digest([files.folder])
    assert ensure_keys(files, MACHINES) == []
    assert digest([files.folder]) == before


def test_a_new_machine_gets_its_key_and_the_others_keep_theirs(files: LabFiles) -> None:
    before = digest([files.host_keys("clx-mld-41")])
    assert ensure_keys(files, [*MACHINES, "clx-mld-42"]) == ["host key of clx-mld-42"]
    assert digest([files.host_keys("clx-mld-41")]) == before


def test_secrets_are_for_their_owner_alone(files: LabFiles) -> None:
    assert files.folder.stat().st_mode & 0o777 == 0o700
    for path in (files.client_key, files.host_key("clx-mld-41"), files.switch_password):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_keys_are_what_ssh_reads(files: LabFiles) -> None:
    private = asyncssh.read_private_key(str(files.client_key))
    assert private.get_algorithm() == "ssh-ed25519"
    shown = private.export_public_key().decode().split()[:2]
    assert public_key(files.client_key) == " ".join(shown)


def test_known_hosts(files: LabFiles) -> None:
    write_known_hosts(files, {"clx-mld-41": 22401, "swx-mld-1-2": 22400})
    text = files.known_hosts.read_text()
    assert text.splitlines()[0] == f"[127.0.0.1]:22401 {public_key(files.host_key('clx-mld-41'))}"
    trusted = asyncssh.import_known_hosts(text)
    switch = asyncssh.read_public_key(str(files.host_key("swx-mld-1-2")) + ".pub")
    assert {key.public_data for key in trusted.match("127.0.0.1", "127.0.0.1", 22400)[0]} == {
        switch.public_data
    }
    assert trusted.match("127.0.0.1", "127.0.0.1", 22402)[0] == []
