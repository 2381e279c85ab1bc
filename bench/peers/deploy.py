"""The facts of a light host as pyinfra checks them: operations where there are any, else facts by a command.

pyinfra runs this file by itself, once per host. Values: vars.json beside it.
"""

import json
from io import StringIO
from pathlib import Path

from pyinfra import host
from pyinfra.facts.files import File
from pyinfra.facts.server import Command, KernelModules
from pyinfra.operations import files, server

given = json.loads(Path("vars.json").read_text())
interface = given["interface"]


def expect(what: str, found: object, wanted: object) -> None:
    """Plan a repair when a fact is not as it should be, so that the dry run tells it as a change."""
    if found != wanted:
        server.shell(name=f"{what}: found {found!r}, wanted {wanted!r}", commands=["true"])


files.line(
    name="The stack that the host belongs to",
    path="/var/lib/rocestack/gpu_host.preflight",
    line="stack: .*",
    replace=f"stack: '{given['stack']}'",
)
for one in given["files"]:
    files.put(
        name=f"The file {one['path']}",
        src=StringIO(one["content"].replace("DATA_ADDRESS", host.data.data_address)),
        dest=one["path"],
        mode=one["mode"].lstrip("0"),
    )
loaded = host.get_fact(KernelModules)
expect("loaded drivers", [name for name in ("nouveau", "nvidia") if name in loaded], [])

link = json.loads(host.get_fact(Command, f"ip -json -4 address show dev {interface}"))[0]
addresses = [(one["local"], one["prefixlen"]) for one in link["addr_info"]]
expect("address", (host.data.data_address, 16) in addresses, True)
expect("mtu", link["mtu"], given["mtu"])
expect("link", "LOWER_UP" in link["flags"], True)
for unit in ("address", "qos"):
    files.link(
        name=f"The unit that brings the {unit} back at boot",
        path=f"/etc/systemd/system/multi-user.target.wants/rocestack-{unit}@{interface}.service",
        target=f"/etc/systemd/system/rocestack-{unit}@.service",
    )

units = [f"rocestack-{unit}@{interface}.service" for unit in ("address", "qos")]
states = host.get_fact(Command, f"systemctl is-active {' '.join(units)}")
expect("units", states.split(), ["active", "active"])
expect("QoS", host.get_fact(Command, f"mlnx_qos -i {interface} -a"), given["qos_said"])
expect("files", host.get_fact(Command, f"head -n 1 {' '.join(given['nic_files'])}"), given["files_said"])
for tool, said in given["cma_said"].items():
    expect(tool, host.get_fact(Command, f"{tool} -d mlx5_0 -p 1").splitlines()[-1], said)
for path in given["dataset_files"]:
    expect(path, bool((host.get_fact(File, path) or {}).get("size")), True)
