"""The rules of a lab of virtual machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, load_file, parse

VM_FILE = Path(__file__).parents[2] / "Pulumi.vmlab.yaml"


def _sections() -> dict[str, Any]:
    config = yaml.safe_load(VM_FILE.read_text())["config"]
    return {key.partition(":")[2]: value for key, value in config.items()}


def test_the_file_loads() -> None:
    stack = load_file(VM_FILE)
    assert stack.lab is not None
    assert stack.lab.backend.value == "vm"


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("gpu", "driver", "local-repo", "gpu.driver = 'local-repo': needs packages that the guests"),
        ("ofed", "flavour", "mlnx_ofed", "ofed.flavour = 'mlnx_ofed': needs packages that the guests"),
        ("docker", "flavour", "docker-ce", "docker.flavour = 'docker-ce': needs packages that the guests"),
        ("lab", "backend", "container", "lab.guests = "),
        ("lab", "guests", {"memory_mb": 100}, "lab.guests.memory_mb = 100: input should be greater"),
        ("lab", "guests", {"accelerator": "hvf"}, "lab.guests.accelerator = 'hvf'"),
        ("lab", "backend", "qemu", "lab.backend = 'qemu'"),
    ],
)
def test_what_guests_cannot_have_is_refused(section: str, key: str, value: Any, says: str) -> None:
    sections = _sections()
    sections[section][key] = value
    if key == "backend":
        sections["lab"]["guests"] = {"memory_mb": 4096}
    with pytest.raises(SettingsError) as caught:
        parse(sections, "x")
    assert f"rocestack:{says}" in str(caught.value)


def test_too_many_guests_are_refused() -> None:
    sections = _sections()
    sections["hosts"] = [
        {
            "name": f"clx-vm-{number}",
            "data_address": f"31.31.32.{number}",
            "container_subnet": f"172.31.{number}.0/24",
            "switch_port": f"1/{number}",
        }
        for number in range(1, 18)
    ]
    with pytest.raises(SettingsError, match=r"17 hosts.*too many for lab.backend vm; allowed are 16"):
        parse(sections, "x")
