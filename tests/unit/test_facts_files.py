"""The hashes of the steps' files are of exactly the text that the scripts write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

import pytest

from facts.files import FILES, HostFile, wanted_facts
from facts.rendering import TEMPLATES, render
from settings import flat

STEPS = sorted(
    f"{path.parent.name}.{path.name.partition('.')[0]}" for path in TEMPLATES.glob("*/*.apply.sh.j2")
)
# Whose text is not ours alone: what each step's own probe compares instead.
ELSEWHERE = {
    '"$certs/${want[registry]}/ca.crt"': "docker_host.engine.registry_ca",
    '"$cdi_spec"': "docker_host.runtime.cdi",
}
SETTINGS = {
    "interface": "enp1f0",
    "tcp_ecn": "1",
    "version": "390.46",
    "note": "it's",
    "address": "31.31.31.41:5000",
    "user": "root",
}
WRITES = re.compile(r"put_file (\S+) (\d+)(?: <<'([A-Z]+)'\n(.*?)^\3$)?", re.DOTALL | re.MULTILINE)


def _variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+)=(/\S+)$", text, re.MULTILINE))


def _plain(path: str, script: str) -> str:
    """Return a script's path as the table has it."""
    for name, value in _variables(script).items():
        path = path.replace(f'"${name}"', value)
    return path


def _here_documents(step: str) -> dict[str, str]:
    """Return what a step's apply script writes as here-documents: path to text."""
    script = render(f"{step.replace('.', '/')}.apply.sh.j2")
    return {
        _plain(path, script): text
        for path, _, mark, text in WRITES.findall(script)
        if mark and not path.startswith('"$dropin')
    }


@pytest.mark.parametrize("step", FILES)
def test_the_text_is_what_the_script_writes(step: str) -> None:
    written = _here_documents(step)
    known = {one.path: one.text({**SETTINGS}) for one in FILES[step]}
    assert {path: known[path] for path in written} == written


@pytest.mark.parametrize("step", STEPS)
def test_each_file_that_a_step_writes_is_in_the_table(step: str) -> None:
    text = (TEMPLATES / f"{step.replace('.', '/')}.apply.sh.j2").read_text()
    if step == "gpu_host.driver":
        text += (TEMPLATES / "gpu_host/driver_install.sh").read_text()
    known = {one.path for one in FILES.get(step, ())}
    written = {_plain(path, text) for path, *_ in WRITES.findall(text)} - ELSEWHERE.keys()
    # The driver's keyrings hold the vendor's key; the fact `package` tells whether they are there.
    written -= {'"$keyring"', "/etc/apt/trusted.gpg.d/rocestack-nvidia-driver.gpg"}
    assert written <= known


@pytest.mark.parametrize("step", FILES)
def test_modes_are_those_of_the_script(step: str) -> None:
    text = render(f"{step.replace('.', '/')}.apply.sh.j2")
    written = {_plain(path, text): mode for path, mode, *_ in WRITES.findall(text)}
    for one in FILES[step]:
        assert one.mode == written.get(one.path, one.mode)


def test_the_script_fills_in_what_the_program_does() -> None:
    assert _file("ofed_stack.qos", "sysctl").text(SETTINGS) == "net.ipv4.tcp_ecn = 1\n"
    pin = _file("gpu_host.driver", "pin").text(SETTINGS)
    assert pin.splitlines()[1:] == ["Pin: version 390.46-*", "Pin-Priority: 1001"]


def test_the_settings_file_has_the_settings_alone() -> None:
    text = _file("docker_host.routes", "settings").text(SETTINGS)
    assert text == flat.render(SETTINGS)
    # As `sort` has them in the C locale.
    assert text.splitlines() == sorted(text.splitlines())


def test_facts_of_a_step() -> None:
    found = wanted_facts("docker_host.routes", SETTINGS)
    assert set(found) == {"file_settings", "file_script", "file_unit", "file_sysctl", "unit", "record"}
    assert (found["unit"], found["record"]) == ("active", "kept")
    assert found["file_settings"] == hashlib.sha256(flat.render(SETTINGS).encode()).hexdigest()
    assert wanted_facts("caffe2_image.pull", {}) == {"record": "kept"}


@pytest.mark.parametrize(("change", "other"), [({"interface": "enp2f0"}, {"file_settings"}), ({}, set())])
def test_another_setting_is_another_file(change: Mapping[str, str], other: set[str]) -> None:
    before, after = (wanted_facts("docker_host.routes", {**SETTINGS, **one}) for one in ({}, change))
    assert {key for key in before if before[key] != after[key]} == other


def _file(step: str, name: str) -> HostFile:
    return next(one for one in FILES[step] if one.name == name)
