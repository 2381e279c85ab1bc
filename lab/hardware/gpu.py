"""The GPUs of a node as NVIDIA's driver shows them: nvidia-smi and nvidia-debugdump.

Both come with the driver's package, which says its version in LAB_TOOL_VERSION. They ask the module that is
loaded: without one, or with one of another version, they say so as the originals do.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from lab.hardware.state import Gpu, Machine

NO_DRIVER, NO_DEVICES, LOST, MISMATCH, BAD_ARGUMENT = 9, 6, 15, 18, 2
# Before this one nvidia-smi has no field for it.
_COMPUTE_CAP_SINCE = 510


@dataclass(frozen=True)
class Card:
    """One GPU as the driver numbers it."""

    index: int
    address: str
    gpu: Gpu
    uuid: str
    driver: str

    @property
    def bus_id(self) -> str:
        """The address in the driver's form: eight digits for the domain."""
        return f"0000{self.address}".upper()


class _SmiError(Exception):
    """nvidia-smi cannot go on: its text and its status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


FIELDS: dict[str, Callable[[Card], str]] = {
    "index": lambda card: str(card.index),
    "count": lambda card: str(len(Machine.here().gpus())),
    "name": lambda card: card.gpu.name,
    "gpu_name": lambda card: card.gpu.name,
    "uuid": lambda card: card.uuid,
    "gpu_uuid": lambda card: card.uuid,
    "driver_version": lambda card: card.driver,
    "memory.total": lambda card: f"{card.gpu.memory} MiB",
    "memory.used": lambda card: "0 MiB",
    "pci.bus_id": lambda card: card.bus_id,
    "gpu_bus_id": lambda card: card.bus_id,
    "compute_cap": lambda card: card.gpu.compute_capability,
    "power.limit": lambda card: f"{card.gpu.power}.00 W",
    "temperature.gpu": lambda card: "31",
    "pstate": lambda card: "P0",
}
_TITLES = {"memory.total": "memory.total [MiB]", "memory.used": "memory.used [MiB]",
           "power.limit": "power.limit [W]"}  # fmt: skip


def cards(machine: Machine, library: str) -> list[Card]:
    """Return the GPUs as the loaded driver shows them; _SmiError when it cannot.

    `library` is the version of the driver's programs: the module's must be the same.
    """
    module = machine.runtime()["modules"].get("nvidia")
    if module is None:
        raise _SmiError(
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that "
            "the latest NVIDIA driver is installed and running.\n",
            NO_DRIVER,
        )
    if module["version"] != library:
        raise _SmiError("Failed to initialize NVML: Driver/library version mismatch", MISMATCH)
    host = os.uname().nodename
    found = [
        Card(
            index=index,
            address=address,
            gpu=gpu,
            uuid=f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{host}/{address}')}",
            driver=library,
        )
        for index, (address, gpu) in enumerate(machine.gpus().items())
    ]
    if not found:
        raise _SmiError("No devices were found", NO_DEVICES)
    if machine.fault("gpu-fell-off") is not None:
        raise _SmiError(
            f"Unable to determine the device handle for GPU {found[-1].address.upper()}: GPU is lost.  "
            "Reboot the system to recover this GPU\n",
            LOST,
        )
    return found


def nvidia_smi(arguments: Sequence[str]) -> int:
    """Answer as nvidia-smi does: its table, -L, or --query-gpu."""
    library = os.environ.get("LAB_TOOL_VERSION", "")
    try:
        found = cards(Machine.here(), library)
        print(_answer(found, library, arguments))
    except _SmiError as error:
        print(error)
        return error.status
    return 0


def _answer(found: Sequence[Card], library: str, arguments: Sequence[str]) -> str:
    options = dict((one.partition("=")[0], one.partition("=")[2]) for one in arguments)
    chosen = _chosen(found, arguments)
    if not arguments or set(options) <= {"-i", "--id"}:
        return plain_table(chosen, library, datetime.now())
    if "-L" in options or "--list-gpus" in options:
        return "\n".join(f"GPU {one.index}: {one.gpu.name} (UUID: {one.uuid})" for one in chosen)
    if "--query-gpu" in options:
        if "csv" not in options.get("--format", "").split(","):
            raise _SmiError(
                "\"--format=\" switch is missing. Please run 'nvidia-smi -h' for help.\n", BAD_ARGUMENT
            )
        fields = [one.strip() for one in options["--query-gpu"].split(",")]
        return query(chosen, fields, options["--format"].split(",")[1:], library)
    raise _SmiError(
        "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n", BAD_ARGUMENT
    )


def _chosen(found: Sequence[Card], arguments: Sequence[str]) -> Sequence[Card]:
    words = list(arguments)
    for place, one in enumerate(words):
        value = one.partition("=")[2] if one.startswith(("--id=", "-i=")) else None
        if one in ("-i", "--id") and place + 1 < len(words):
            value = words[place + 1]
        if value is not None:
            wanted = value.split(",")
            chosen = [card for card in found if {str(card.index), card.uuid, card.bus_id} & set(wanted)]
            if not chosen:
                raise _SmiError("No devices were found", NO_DEVICES)
            return chosen
    return found


def query(found: Sequence[Card], fields: Sequence[str], form: Sequence[str], library: str) -> str:
    """Return the CSV answer of --query-gpu; `form` holds noheader and nounits where they are asked for."""
    age = int(library.split(".", maxsplit=1)[0])
    for name in fields:
        if name not in FIELDS or (name == "compute_cap" and age < _COMPUTE_CAP_SINCE):
            raise _SmiError(f'Field "{name}" is not a valid field to query.\n', BAD_ARGUMENT)
    bare = "nounits" in form
    lines = [] if "noheader" in form else [", ".join(_TITLES.get(name, name) for name in fields)]
    for card in found:
        values = [FIELDS[name](card) for name in fields]
        lines.append(
            ", ".join(
                value.split(" ")[0] if bare and value.endswith((" MiB", " W")) else value for value in values
            )
        )
    return "\n".join(lines)


def plain_table(found: Sequence[Card], library: str, now: datetime) -> str:
    """Return the table that nvidia-smi of the driver's age prints without arguments."""
    lines = [
        f"{now:%a %b %e %H:%M:%S %Y}       ",
        "+" + "-" * 77 + "+",
        f"| NVIDIA-SMI {library:<22}Driver Version: {library:<27}|",
        "|-------------------------------+----------------------+----------------------+",
        "| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |",
        "| Fan  Temp  Perf  Pwr:Usage/Cap|         Memory-Usage | GPU-Util  Compute M. |",
        "|===============================+======================+======================|",
    ]
    for card in found:
        name = card.gpu.name if len(card.gpu.name) <= 18 else card.gpu.name[:15] + "..."
        memory = f"0MiB / {card.gpu.memory}MiB"
        lines += [
            f"| {card.index:>3}  {name:<18}  Off  | {card.bus_id} Off |                    0 |",
            f"| N/A   31C    P0    26W / {card.gpu.power}W | {memory:>20} |      0%      Default |",
            "+-------------------------------+----------------------+----------------------+",
        ]
    lines += [
        " " * 79,
        "+" + "-" * 77 + "+",
        "| Processes:                                                       GPU Memory |",
        "|  GPU       PID   Type   Process name                             Usage      |",
        "|" + "=" * 77 + "|",
        "|  No running processes found                                                 |",
        "+" + "-" * 77 + "+",
    ]
    return "\n".join(lines)


def nvidia_debugdump(arguments: Sequence[str]) -> int:
    """List the GPUs as nvidia-debugdump -l does."""
    if list(arguments) not in (["-l"], ["--list"]):
        print("Invalid arguments. Use --help for help.", file=sys.stderr)
        return 1
    try:
        found = cards(Machine.here(), os.environ.get("LAB_TOOL_VERSION", ""))
    except _SmiError:
        print("Error: nvmlInit(): Driver Not Loaded", file=sys.stderr)
        return 1
    print(debugdump_text(found))
    return 0


def debugdump_text(found: Sequence[Card]) -> str:
    """Return the list of nvidia-debugdump -l."""
    lines = [f"Found {len(found)} NVIDIA devices"]
    for card in found:
        lines += [
            f"\tDevice ID:              {card.index}",
            f"\tDevice name:            {card.gpu.name}",
            f"\tGPU internal ID:        {card.uuid}",
            "",
        ]
    return "\n".join(lines)
