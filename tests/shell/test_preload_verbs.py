"""The preload library for verbs, compiled here and run over a libibverbs that says what it was asked.

The caller does what Gloo does, and Python loads it as it loads Gloo: late, and with its names kept private.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "verbs"
PRELOAD = Path(__file__).parents[2] / "templates/caffe2_image/preload"
PREFIX = "rocestack-verbs: "
# As on a host with ConnectX: v1 and v2 of the link-local address, then of the IPv4 address; 4 is empty.
LINK_LOCAL, IPV4 = "fe80000000000000" + "0000000000000001", "0" * 20 + "ffff" + "1f1f1f29"
GIDS = [LINK_LOCAL, LINK_LOCAL, IPV4, IPV4, "empty"]
TYPES = ["IB/RoCE v1", "RoCE v2", "IB/RoCE v1", "RoCE v2"]
INDEX = {"ROCESTACK_GID_INDEX": "3"}
ALL = {**INDEX, "ROCESTACK_TRAFFIC_CLASS": "106", "ROCESTACK_ACK_TIMEOUT": "18"}
STATE, STATE_AV_MTU, STATE_TIMEOUT = "mask=21", "mask=181", "mask=201"
_CALLER = (
    "import ctypes, sys; status = ctypes.CDLL(sys.argv[1]).connect_pairs("
    "sys.argv[2].encode(), sys.argv[3].encode(), *map(int, sys.argv[4:])); print('status', status)"
)


def _compile(*words: str | Path) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"needs gcc and libibverbs-dev (`make setup` installs them): {done.stderr}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the stub, the caller, the library, and a device's folder as in sysfs."""
    folder = tmp_path_factory.mktemp("verbs")
    flags = ("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared")
    stub = folder / "libibverbs.so.1"
    script = f"-Wl,--version-script={HERE / 'stub.map'}"
    _compile(*flags, "-Wl,-soname,libibverbs.so.1", script, "-o", stub, HERE / "stub.c")
    (folder / "libibverbs.so").symlink_to(stub.name)
    _compile(*flags, "-o", folder / "caller.so", HERE / "gloo.c", f"-L{folder}", "-libverbs")
    _compile("sh", PRELOAD / "build.sh", folder / "preload.so", "-Werror", f"-L{folder}")
    (folder / "gids").write_text("".join(f"{gid}\n" for gid in GIDS))
    types = folder / "mlx5_0/ports/1/gid_attrs/types"
    types.mkdir(parents=True)
    for index, text in enumerate(TYPES):
        (types / str(index)).write_text(f"{text}\n")
    return folder


@dataclass(frozen=True)
class Ran:
    """What a run of the caller left: its exit status, the calls that reached libibverbs, standard error."""

    status: int
    calls: list[str]
    errors: list[str]


def _run(built: Path, settings: dict[str, str], *, pairs: int = 1, index: int = 0, is_global: int = 1) -> Ran:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("ROCESTACK_", "LD_"))}
    words = ["mlx5_0", str(built / "mlx5_0"), *map(str, (pairs, index, is_global))]
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", _CALLER, str(built / "caller.so"), *words],
        env={
            **own,
            "LD_LIBRARY_PATH": str(built),
            "LD_PRELOAD": str(built / "preload.so"),
            "VERBS_STUB": str(built),
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return Ran(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())


def _modified(ran: Ran, mask: str) -> list[str]:
    """Return what follows the mask in each call of that mask."""
    return [line.partition(f"{mask} ")[2] for line in ran.calls if f" {mask} " in line]


def test_without_settings_every_call_passes_as_it_is(built: Path) -> None:
    ran = _run(built, {})
    assert ran == Ran(
        0,
        [
            "query_gid device=mlx5_0 port=1 index=0",
            "answer fe80:0000..1",
            f"modify_qp device=mlx5_0 {STATE} global=0 index=0 class=0 hops=0 timeout=0",
            f"modify_qp device=mlx5_0 {STATE_AV_MTU} global=1 index=0 class=0 hops=1 timeout=0",
            f"modify_qp device=mlx5_0 {STATE_TIMEOUT} global=0 index=0 class=0 hops=0 timeout=14",
            "status 0",
        ],
        [],
    )


def test_with_all_settings_each_goes_where_it_belongs_and_one_line_says_so(built: Path) -> None:
    ran = _run(built, ALL, pairs=12)
    assert _modified(ran, STATE) == ["global=0 index=0 class=0 hops=0 timeout=0"] * 12
    assert _modified(ran, STATE_AV_MTU) == ["global=1 index=3 class=106 hops=1 timeout=0"] * 12
    assert _modified(ran, STATE_TIMEOUT) == ["global=0 index=0 class=0 hops=0 timeout=18"] * 12
    assert ran.calls.count("answer 0000:ffff..41") == 12
    assert ran.calls[-1] == "status 0"
    assert ran.errors == [
        f"{PREFIX}set device=mlx5_0 port=1 gid_index=3 gid=31.31.31.41 type='RoCE v2' "
        "traffic_class=106 ack_timeout=18"
    ]
    assert "the caller's attributes were changed" not in ran.calls


def test_with_an_index_alone_class_and_timeout_stay(built: Path) -> None:
    ran = _run(built, INDEX)
    assert _modified(ran, STATE_AV_MTU) == ["global=1 index=3 class=0 hops=1 timeout=0"]
    assert _modified(ran, STATE_TIMEOUT) == ["global=0 index=0 class=0 hops=0 timeout=14"]
    assert ran.errors == [
        f"{PREFIX}set device=mlx5_0 port=1 gid_index=3 gid=31.31.31.41 type='RoCE v2' "
        "traffic_class=unchanged ack_timeout=unchanged"
    ]


def test_the_programs_own_index_passes_where_it_is_the_wanted_one(built: Path) -> None:
    assert _modified(_run(built, ALL, index=3), STATE_AV_MTU) == [
        "global=1 index=3 class=106 hops=1 timeout=0"
    ]


@pytest.mark.parametrize(
    ("index", "why"),
    [
        ("0", "GID index 0 of mlx5_0 port 1 is IB/RoCE v1, fe80:"),
        ("1", "GID index 1 of mlx5_0 port 1 is RoCE v2, fe80:"),
        ("2", "GID index 2 of mlx5_0 port 1 is IB/RoCE v1, 0000:0000:0000:0000:0000:ffff:1f1f:1f29;"),
        ("4", "GID index 4 of mlx5_0 port 1 is empty"),
        ("9", "mlx5_0 port 1 has no GID index 9"),
    ],
)
def test_another_gid_than_rocev2_with_ipv4_is_refused(built: Path, index: str, why: str) -> None:
    ran = _run(built, {**ALL, "ROCESTACK_GID_INDEX": index}, pairs=2)
    assert ran.calls[-1] == "status -1"
    assert not any(line.startswith("modify_qp") for line in ran.calls)
    assert len(ran.errors) == 1
    assert ran.errors[0].startswith(f"{PREFIX}error: {why}")


def test_a_gid_whose_type_cannot_be_read_is_refused(built: Path) -> None:
    types = built / "mlx5_0/ports/1/gid_attrs/types/3"
    hidden = types.rename(types.with_name("hidden"))
    try:
        ran = _run(built, ALL)
    finally:
        hidden.rename(types)
    assert ran.calls[-1] == "status -1"
    assert [line.startswith(f"{PREFIX}error: the type of GID index 3") for line in ran.errors] == [True]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ({"is_global": 0}, "a queue pair on mlx5_0 has no global address"),
        ({"index": 1}, "the program itself asks for GID index 1, and ROCESTACK_GID_INDEX is 3"),
    ],
)
def test_an_address_that_cannot_be_marked_is_refused(built: Path, call: dict[str, int], why: str) -> None:
    ran = _run(built, ALL, **call)
    assert _modified(ran, STATE_AV_MTU) == []
    assert ran.calls[-1] == "status 22"
    assert [line.startswith(f"{PREFIX}error: {why}") for line in ran.errors] == [True]
    # Nobody asked for marks, so the same address is nobody's fault.
    assert _run(built, {}, **call).calls[-1] == "status 0"


def test_a_pair_that_libibverbs_refuses_is_not_told_as_set(built: Path) -> None:
    ran = _run(built, {**ALL, "VERBS_STUB_FAILS": "110"})
    assert (ran.calls[-1], ran.errors) == ("status 110", [])


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("ROCESTACK_GID_INDEX", "0 to 255"),
        ("ROCESTACK_TRAFFIC_CLASS", "0 to 255"),
        ("ROCESTACK_ACK_TIMEOUT", "1 to 31"),
    ],
)
@pytest.mark.parametrize("value", ["", "1x", "x", " 3", "+3", "-1", "256", "99999999999999999999"])
def test_a_setting_that_is_no_such_number_ends_the_process(
    built: Path, name: str, allowed: str, value: str
) -> None:
    ran = _run(built, {**ALL, name: value})
    error = f"{PREFIX}error: {name}='{value}' is not a whole number from {allowed}"
    assert ran == Ran(78, [], [error])


@pytest.mark.parametrize("name", ["ROCESTACK_TRAFFIC_CLASS", "ROCESTACK_ACK_TIMEOUT"])
def test_a_setting_without_a_gid_index_ends_the_process(built: Path, name: str) -> None:
    ran = _run(built, {name: "18"})
    assert (ran.status, ran.calls, len(ran.errors)) == (78, [], 1)
    assert "need ROCESTACK_GID_INDEX" in ran.errors[0]


def test_it_names_libibverbs_and_shows_no_other_function(built: Path) -> None:
    def lines(*words: str) -> str:
        return subprocess.run(
            [*words, str(built / "preload.so")], capture_output=True, text=True, check=True
        ).stdout

    assert "Shared library: [libibverbs.so.1]" in lines("readelf", "-d")
    shown = {line.split()[-1] for line in lines("nm", "-D", "--defined-only").splitlines()}
    assert shown == {"ibv_modify_qp", "ibv_query_gid"}
