"""Every text that reaches a host: it renders, lints, has its twin and holds no values."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import nodes
from jinja2.environment import Environment

from components.observation import HOST_STEPS
from components.rendering import TEMPLATES, render
from facts import evidence, probe
from facts.rendering import without_comments

_SHELLCHECK = Path(sys.executable).parent / "shellcheck"
# Taken before the unit tests' guard replaces it: the linter is the one program that is run here.
_START = subprocess.Popen.__init__


def _named(*kinds: str) -> list[str]:
    return sorted(
        str(path.relative_to(TEMPLATES)) for kind in kinds for path in TEMPLATES.rglob(f"*.{kind}.sh.j2")
    )


SCRIPTS = _named("apply", "remove", "boot", "clear")
HOST_SCRIPTS = [
    f"{step.replace('.', '/')}.{kind}.sh.j2" for step in HOST_STEPS for kind in ("apply", "remove")
]


def test_every_script_passes_shellcheck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", _START)
    files = [tmp_path / "probe.sh", tmp_path / "boot.sh"]
    files[0].write_text(probe.render(HOST_STEPS))
    files[1].write_text(render("facts/boot.sh.j2"))
    for name in SCRIPTS:
        file = tmp_path / name.replace("/", ".").removesuffix(".j2")
        file.write_text(render(name))
        files.append(file)
    done = subprocess.run(
        [str(_SHELLCHECK), "-s", "bash", *map(str, files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_script_that_asks_what_changed_hears_of_each_file() -> None:
    asking = [name for name in SCRIPTS if "$changed" in render(name)]
    assert "training_job/dataset_server.apply.sh.j2" in asking
    for name in asking:
        own = render(name).split("\nstep=", 1)[1]
        assert "| put_file" not in own, name


def test_a_script_means_the_same_without_its_comments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess.Popen, "__init__", _START)
    texts = [probe.render(HOST_STEPS), evidence.script(), *map(render, [*SCRIPTS, "facts/boot.sh.j2"])]
    for text in texts:
        before, after = (
            _as_bash_reads_it(tmp_path / "script", one) for one in (text, without_comments(text))
        )
        assert before == after, text.splitlines()[1]
        assert len(after) > 1


def _as_bash_reads_it(file: Path, script: str) -> list[str]:
    """Return the commands that bash finds in a script, in its own writing; it has no comments."""
    file.write_text(script)
    words = ["bash", "--norc", "--pretty-print", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("#!/bin/bash\n# Say it.\necho a # b\n", "#!/bin/bash\necho a # b\n"),
        ("true\n  # Why.\n  true\n", "true\n  true\n"),
        ("put <<'CONF'\n# read there\nCONF\n# not\n", "put <<'CONF'\n# read there\nCONF\n"),
        (
            "put <<-CONF | two <<TEXT\n# a\n\tCONF\n# b\nTEXT\n# c\n",
            "put <<-CONF | two <<TEXT\n# a\n\tCONF\n# b\nTEXT\n",
        ),
        ("read a <<<WORD\n# not\n", "read a <<<WORD\n"),
        ("echo $((1 << 2)) ${a#b}\n# not\n", "echo $((1 << 2)) ${a#b}\n"),
    ],
)
def test_comments_stay_where_a_script_writes_them_to_a_file(script: str, kept: str) -> None:
    assert without_comments(script) == kept


@pytest.mark.parametrize("name", _named("apply"))
def test_apply_has_its_remove_twin(name: str) -> None:
    assert (TEMPLATES / name.replace(".apply.", ".remove.")).is_file()


@pytest.mark.parametrize("name", _named("remove"))
def test_remove_has_its_apply_twin(name: str) -> None:
    assert (TEMPLATES / name.replace(".remove.", ".apply.")).is_file()


@pytest.mark.parametrize("step", HOST_STEPS)
def test_every_host_step_can_be_observed(step: str) -> None:
    assert (TEMPLATES / f"{step.replace('.', '/')}.probe.sh.j2").is_file()


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_stops_at_the_first_error(name: str) -> None:
    assert "\nset -euo pipefail\n" in render(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_first_what_it_does(name: str) -> None:
    first, second = render(name).splitlines()[:2]
    assert first == "#!/usr/bin/env bash"
    assert re.match(r"# [A-Z].*\w", second)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_template_only_includes(name: str) -> None:
    tree = Environment().parse((TEMPLATES / name).read_text())
    assert list(tree.find_all(nodes.Name)) == []
    assert list(tree.find_all((nodes.If, nodes.For, nodes.Assign))) == []


@pytest.mark.parametrize("name", HOST_SCRIPTS)
def test_no_host_script_names_a_value_of_a_stack(name: str) -> None:
    # Addresses, interface, DSCPs and subnets of the guide, which are settings of one stack.
    text = render(name)
    assert not re.search(r"31\.31\.31|172\.30\.|10\.14[12]\.|enp\d|clx-mld|mlx5_\d|lab-sysfs", text)


@pytest.mark.parametrize("name", HOST_SCRIPTS)
def test_a_script_reads_only_settings_that_it_documents(name: str) -> None:
    if name.endswith(".apply.sh.j2"):
        head, body = (TEMPLATES / name).read_text().split("set -euo pipefail", 1)
        used = set(re.findall(r"\$\{want\[([a-z_]+)\]", body))
        assert used - set(re.findall(r"[a-z_]+", head)) == set()
    else:
        assert "need " not in (TEMPLATES / name).read_text()


@pytest.mark.parametrize("name", [name for name in HOST_SCRIPTS if name.endswith(".remove.sh.j2")])
def test_the_record_goes_last(name: str) -> None:
    """A removal that is interrupted leaves the record, so the next one still knows what is ours."""
    lines = (TEMPLATES / name).read_text().split("set -euo pipefail", 1)[1].splitlines()
    drop = [number for number, line in enumerate(lines) if line.strip() == "record_drop"]
    assert drop
    said_after = [line for line in lines[drop[-1] + 1 :] if line.strip()]
    assert all(line.startswith("printf ") for line in said_after), said_after


def test_no_script_waits_a_fixed_time() -> None:
    pauses = [
        (name, line)
        for name in SCRIPTS
        for line in render(name).splitlines()
        if re.search(r"\bsleep\b", line) and line.strip() != 'sleep "$pause"'
    ]
    assert pauses == []


def test_what_is_installed_for_boot_is_taken_away_again() -> None:
    for name in HOST_SCRIPTS:
        if name.endswith(".apply.sh.j2"):
            made = set(re.findall(r"put_file (/\S+)", (TEMPLATES / name).read_text()))
            taken = "".join(
                (TEMPLATES / other).read_text()
                for other in HOST_SCRIPTS
                if other.endswith(".remove.sh.j2") and other.split("/")[0] == name.split("/")[0]
            )
            assert [path for path in made if path not in taken] == []
