"""An image that is built on a host: its steps, where it goes from there, and what happens when it is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from facts.observe import HostObservation
from settings import flat
from settings.models import Stack
from tests.components.harness import (
    CHECKS,
    Program,
    World,
    built_everywhere_stack,
    built_on,
    image_id_of,
    lab_stack,
    named_registry_stack,
    streamed_stack,
)
from tests.components.test_image_distribution import (
    H41,
    H42,
    PUSH,
    again,
    changed,
    in_sync,
    steps_drift,
    with_fact,
)

ID41, ID42 = image_id_of(H41), image_id_of(H42)
STEPS = ("caffe2_image.base", "caffe2_image.build")
WAYS = {
    "named": lambda: built_on(named_registry_stack(), H42),
    "head": lambda: built_on(lab_stack(), H41),
    "beside the head": lambda: built_on(lab_stack(), H42),
    "stream": lambda: built_on(streamed_stack(), H42),
    "everywhere": built_everywhere_stack,
}


def _steps_of(program: Program, machine: str) -> dict[str, dict[str, str]]:
    return {step: flat.parse(program.stdin(f"{machine}/{step}")) for step in STEPS}


def test_a_hosts_engine_is_driven_from_the_operators_machine() -> None:
    program = Program(World(built_on(streamed_stack(), H42)))
    for name in STEPS:
        assert f"operator/{name}" not in program.by_name
        step = program.by_name[f"{H42}/{name}"]
        assert step.type == "command:local:Command"
        assert flat.parse(program.stdin(step.name))["ssh_port"] == "22402"
        assert "a private key" not in str(step.inputs)
    before = program.ancestors(f"{H42}/caffe2_image.build")
    assert {f"{H42}/docker_host.routes", f"{H42}/caffe2_image.base"} <= before


def test_it_is_the_same_image_by_its_tag_wherever_it_is_built() -> None:
    on_operator = _steps_of(Program(World(lab_stack())), "operator")
    on_host = _steps_of(Program(World(built_on(lab_stack(), H41))), H41)
    for step in STEPS:
        beside = on_host[step].keys() - on_operator[step].keys()
        assert beside == {"host", "ssh_address", "ssh_port", "ssh_user", "ssh_host_key", "ssh_key"}
        assert on_operator[step].items() <= on_host[step].items()


def test_the_builder_pushes_to_a_named_registry_as_the_hosts_reach_it() -> None:
    push = flat.parse(Program(World(WAYS["named"]())).stdin(PUSH))
    assert (push["registry"], push["socket"], push["builder_host"]) == ("registry:5000", "none", H42)


@pytest.mark.parametrize(("way", "builder"), [("head", H41), ("beside the head", H42)])
def test_the_builder_pushes_to_the_head_and_pulls_as_all_do(way: str, builder: str) -> None:
    program = Program(World(WAYS[way]()))
    push = flat.parse(program.stdin(PUSH))
    assert (push["host"], push["builder_host"]) == (H41, builder)
    ports = {H41: "22401", H42: "22402"}
    assert (push["ssh_port"], push["builder_ssh_port"]) == (ports[H41], ports[builder])
    assert f"{builder}/caffe2_image.build" in program.ancestors(PUSH)
    for host in (H41, H42):
        pull = flat.parse(program.stdin(f"{host}/caffe2_image.pull"))
        assert pull["registry"] == "31.31.31.41:5000"


def test_without_a_registry_the_builder_sends_it_to_all_others() -> None:
    program = Program(World(WAYS["stream"]()))
    assert f"{H42}/caffe2_image.stream" not in program.by_name
    stream = flat.parse(program.stdin(f"{H41}/caffe2_image.stream"))
    assert (stream["host"], stream["builder_host"]) == (H41, H42)
    own = flat.parse(program.stdin(f"{H42}/caffe2_image.pull"))
    assert (own["registry"], own["image_id"]) == ("none", ID42)
    assert f"{H42}/caffe2_image.build" in program.ancestors(f"{H42}/caffe2_image.pull")


@pytest.mark.parametrize("way", WAYS)
def test_in_sync_nothing_changes(way: str) -> None:
    stack = WAYS[way]()
    applied = Program(World(stack))
    now = again(stack, applied, in_sync(applied))
    assert changed(applied, now) == set()
    assert steps_drift(now) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_changed_image_looks_for_its_base_again_and_an_unchanged_one_does_not(way: str) -> None:
    stack = WAYS[way]()
    applied = Program(World(stack))
    image = stack.image.model_copy(update={"repository": "rocestack/other"})
    other = stack.model_copy(update={"image": image})
    bases = {name for name in applied.by_name if name.endswith("/caffe2_image.base")}
    assert bases
    assert changed(applied, again(other, applied, in_sync(applied))) & bases == bases
    assert changed(applied, again(stack, applied, in_sync(applied))) & bases == set()


def _gone_from(stack: Stack, host: str, **content: str) -> tuple[Program, Program]:
    applied = Program(World(stack))
    found = with_fact(in_sync(applied), host, "caffe2_image.pull", image_id="removed")
    if content:
        found = with_fact(found, H41, "caffe2_image.registry", **content)
    return applied, again(stack, applied, found)


@pytest.mark.parametrize("way", ["named", "stream", "everywhere"])
def test_an_image_that_went_from_its_builder_is_built_again_and_told_once(way: str) -> None:
    applied, now = _gone_from(WAYS[way](), H42)
    # The base too: what took the image may have taken that.
    assert changed(applied, now) == {f"{H42}/{step}" for step in (*STEPS, "caffe2_image.pull")}
    assert "drift_present: 'found no, wanted yes (repair 1)'" in now.stdin(f"{H42}/caffe2_image.build")
    assert steps_drift(now) == [f"{H42} caffe2_image.pull.image_id: found 'removed', wanted '{ID42}'"]


@pytest.mark.parametrize(("content", "built"), [("kept", False), ("absent", True)])
def test_our_registry_gives_it_back_where_it_still_has_it(content: str, built: bool) -> None:
    applied, now = _gone_from(WAYS["beside the head"](), H42, content=content)
    again_built = {f"{H42}/{step}" for step in STEPS} if built else set()
    lost = {PUSH} if content == "absent" else set()
    assert changed(applied, now) == {f"{H42}/caffe2_image.pull", *again_built, *lost}


@pytest.mark.parametrize("way", ["named", "stream"])
def test_an_image_that_went_from_another_host_is_not_built_again(way: str) -> None:
    applied, now = _gone_from(WAYS[way](), H41)
    sent = {f"{H41}/caffe2_image.stream"} if way == "stream" else set()
    assert changed(applied, now) == {f"{H41}/caffe2_image.pull", *sent}


def test_an_unreachable_builder_keeps_what_it_built() -> None:
    stack = WAYS["stream"]()
    applied = Program(World(stack))
    found = in_sync(applied)
    found[H42] = HostObservation(host=H42, state="unreachable", reason="connection refused")
    now = again(stack, applied, found)
    assert changed(applied, now) == set()
    for step in STEPS:
        assert "stdin" in now.by_name[f"{H42}/{step}"].ignore_changes


def test_every_host_builds_for_itself_and_nothing_travels() -> None:
    program = Program(World(built_everywhere_stack()))
    travels = ("operator/caffe2_image", ".push", ".stream", "caffe2_image.registry")
    assert [name for name in program.by_name if any(one in name for one in travels)] == []
    for host, image_id in ((H41, ID41), (H42, ID42)):
        pull = flat.parse(program.stdin(f"{host}/caffe2_image.pull"))
        assert (pull["registry"], pull["image_id"]) == ("none", image_id)
        assert f"{host}/caffe2_image.build" in program.ancestors(f"{host}/caffe2_image.pull")
    tags = {flat.parse(program.stdin(f"{host}/caffe2_image.build"))["tag"] for host in (H41, H42)}
    assert len(tags) == 1
    # A base that must be made is made for the head, then sent to the others; no build waits for another's.
    before = program.ancestors(f"{H42}/caffe2_image.build")
    assert f"{H41}/caffe2_image.base" in before
    assert f"{H41}/caffe2_image.build" not in before


def test_each_hosts_containers_and_data_are_of_its_own_image() -> None:
    program = Program(World(built_everywhere_stack()))
    for host, shard, image_id in ((H41, 0, ID41), (H42, 1, ID42)):
        assert program.by_name[f"{host}/caffe2-shard-{shard}"].inputs["image"] == image_id
        assert flat.parse(program.stdin(f"{host}/training_job.dataset"))["image_id"] == image_id
    assert program.by_name[f"{H41}/redis"].inputs["image"] == ID41
    # The look at the network runs the same name on both.
    tag = flat.parse(program.stdin(f"{H41}/caffe2_image.build"))["tag"]
    verify = flat.parse(str(program.by_name["training_job.verify"].inputs["stdin"]))
    assert verify["image"] == f"rocestack/caffe2:{tag}"


def test_an_image_that_went_from_one_of_them_is_built_there_alone() -> None:
    applied, now = _gone_from(built_everywhere_stack(), H41)
    assert changed(applied, now) == {f"{H41}/{step}" for step in (*STEPS, "caffe2_image.pull")}


@pytest.mark.parametrize(
    ("make", "ids", "checks", "alike"),
    [
        (lab_stack, image_id_of("operator"), CHECKS, "the same bytes on every host"),
        (
            built_everywhere_stack,
            {H41: ID41, H42: ID42},
            {H41: CHECKS, H42: CHECKS},
            "alike by the hash of what they were built from (the tag), each host's own bytes",
        ),
    ],
)
def test_the_proof_says_whether_the_images_are_the_same(
    make: Callable[[], Stack], ids: object, checks: object, alike: str
) -> None:
    told = Program(World(make())).image_told
    assert (told["id"], told["checks"], told["alike"]) == (ids, checks, alike)
