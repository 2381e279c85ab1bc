"""How the image comes to the hosts: by a named registry, by one on the head host, or sent over SSH."""

from __future__ import annotations

import dataclasses

import pytest

from components.head_registry import fingerprint
from facts.observe import HostObservation
from settings import flat
from settings.models import Stack
from settings.registry import Distribution, Registry, RegistryServer
from tests.components.harness import (
    CERTIFICATE,
    IMAGE_ID,
    Program,
    World,
    lab_stack,
    named_registry_stack,
    streamed_stack,
)

H41, H42 = "clx-mld-41", "clx-mld-42"
HEAD = "31.31.31.41:5000"
PUSH = "operator/caffe2_image.push"


def in_sync(program: Program) -> dict[str, HostObservation]:
    """Return what a look at hosts finds where each remote step is as it was applied."""
    facts: dict[str, dict[str, dict[str, str]]] = {}
    for name, one in program.by_name.items():
        if one.type == "command:remote:Command":
            host, _, step = name.partition("/")
            values = flat.parse(str(one.inputs["stdin"]))
            known = {key: value for key, value in values.items() if key not in ("generation", "node")}
            facts.setdefault(host, {})[step] = known
    return {host: HostObservation(host=host, state="reachable", facts=found) for host, found in facts.items()}


def again(stack: Stack, applied: Program, observations: dict[str, HostObservation]) -> Program:
    return Program(World(stack, checkpoint=applied.checkpoint(), observations=observations))


def changed(applied: Program, now: Program) -> set[str]:
    return {
        name
        for name, one in now.by_name.items()
        if one.type.startswith("command:") and "/" in name and one.inputs != applied.by_name[name].inputs
    }


def steps_drift(program: Program) -> list[str]:
    """Return what drifted, without the containers, of which these observations say nothing."""
    return [str(one) for one in program.cluster.drift if not one.step.startswith("training_job.")]


def with_fact(
    observations: dict[str, HostObservation], host: str, step: str, **facts: str
) -> dict[str, HostObservation]:
    one = observations[host]
    changed = {**one.facts, step: {**one.facts[step], **facts}}
    return {**observations, host: dataclasses.replace(one, facts=changed)}


def test_a_named_registry_is_pushed_to_and_pulled_from() -> None:
    program = Program(World(named_registry_stack()))
    push, pull = (flat.parse(program.stdin(name)) for name in (PUSH, f"{H42}/caffe2_image.pull"))
    assert (push["registry"], push["socket"]) == ("127.0.0.1:5000", "none")
    assert "content" not in push
    assert (pull["registry"], pull["registry_ca"]) == ("registry:5000", "none")
    assert (pull["digest"], pull["size_mb"]) == ("sha256:" + "b" * 64, "512")
    assert flat.parse(program.stdin(f"{H42}/docker_host.engine"))["registry"] == "registry:5000"
    assert not {name for name in program.by_name if "caffe2_image.registry" in name or "stream" in name}


def test_the_head_serves_what_is_pushed_over_ssh() -> None:
    program = Program(World(lab_stack()))
    served = flat.parse(program.stdin(f"{H41}/caffe2_image.registry"))
    assert (served["address"], served["user"]) == (HEAD, "root")
    assert served["certificate"] == fingerprint(CERTIFICATE)
    assert f"{H42}/caffe2_image.registry" not in program.by_name
    push = flat.parse(program.stdin(PUSH))
    assert (push["registry"], push["host"], push["content"]) == (HEAD, H41, "kept")
    for host in (H41, H42):
        pull = flat.parse(program.stdin(f"{host}/caffe2_image.pull"))
        assert (pull["registry"], pull["registry_ca"]) == (HEAD, CERTIFICATE)
        engine = flat.parse(program.stdin(f"{host}/docker_host.engine"))
        assert (engine["registry"], engine["registry_ca"]) == ("none", "none")


def test_the_head_serves_before_the_push_and_that_is_before_every_pull() -> None:
    program = Program(World(lab_stack()))
    assert f"{H41}/docker_host.routes" in program.ancestors(f"{H41}/caffe2_image.certificate")
    assert f"{H41}/caffe2_image.certificate" in program.ancestors(f"{H41}/caffe2_image.registry")
    before = program.ancestors(PUSH)
    assert {f"{H41}/caffe2_image.registry", "operator/caffe2_image.build"} <= before
    # The registry need not wait for the build.
    assert "operator/caffe2_image.build" not in program.ancestors(f"{H41}/caffe2_image.registry")
    assert PUSH in program.ancestors(f"{H42}/caffe2_image.pull")


def test_each_host_is_sent_the_image_and_none_waits_for_another() -> None:
    program = Program(World(streamed_stack()))
    assert PUSH not in program.by_name
    for host, other in ((H41, H42), (H42, H41)):
        stream = flat.parse(program.stdin(f"{host}/caffe2_image.stream"))
        assert (stream["host"], stream["image_id"]) == (host, IMAGE_ID)
        pull = flat.parse(program.stdin(f"{host}/caffe2_image.pull"))
        assert {pull[key] for key in ("registry", "digest", "registry_ca")} == {"none"}
        before = program.ancestors(f"{host}/caffe2_image.pull")
        assert f"{host}/caffe2_image.stream" in before
        assert f"{other}/caffe2_image.stream" not in before


@pytest.mark.parametrize("make", [named_registry_stack, lab_stack, streamed_stack])
def test_in_sync_nothing_changes(make: type) -> None:
    stack = make()
    applied = Program(World(stack))
    now = again(stack, applied, in_sync(applied))
    assert changed(applied, now) == set()
    assert steps_drift(now) == []


def test_a_stopped_registry_is_one_line_and_touches_no_pull() -> None:
    stack = lab_stack()
    applied = Program(World(stack))
    found = with_fact(in_sync(applied), H41, "caffe2_image.registry", service="inactive")
    now = again(stack, applied, found)
    assert changed(applied, now) == {f"{H41}/caffe2_image.registry"}
    assert steps_drift(now) == [f"{H41} caffe2_image.registry.service: found 'inactive', wanted 'active'"]


def test_a_registry_that_lost_the_image_gets_it_again() -> None:
    stack = lab_stack()
    applied = Program(World(stack))
    lost = with_fact(in_sync(applied), H41, "caffe2_image.registry", content="absent")
    now = again(stack, applied, lost)
    assert changed(applied, now) == {PUSH}
    assert "drift_content: 'found absent, wanted kept (repair 1)'" in now.stdin(PUSH)
    kept = with_fact(in_sync(applied), H41, "caffe2_image.registry", content="kept")
    assert changed(applied, again(stack, applied, kept)) == set()


def test_another_certificate_is_made_anew() -> None:
    stack = lab_stack()
    applied = Program(World(stack))
    found = with_fact(in_sync(applied), H41, "caffe2_image.certificate", certificate="changed")
    assert changed(applied, again(stack, applied, found)) == {f"{H41}/caffe2_image.certificate"}


def test_an_image_that_went_from_a_host_is_sent_to_it_alone_and_told_once() -> None:
    stack = streamed_stack()
    applied = Program(World(stack))
    found = with_fact(in_sync(applied), H42, "caffe2_image.pull", image_id="removed")
    now = again(stack, applied, found)
    assert changed(applied, now) == {f"{H42}/caffe2_image.stream", f"{H42}/caffe2_image.pull"}
    assert steps_drift(now) == [f"{H42} caffe2_image.pull.image_id: found 'removed', wanted '{IMAGE_ID}'"]


def test_an_unreachable_host_keeps_what_it_was_sent() -> None:
    stack = streamed_stack()
    applied = Program(World(stack))
    found = in_sync(applied)
    found[H42] = HostObservation(host=H42, state="unreachable", reason="connection refused")
    now = again(stack, applied, found)
    assert "stdin" in now.by_name[f"{H42}/caffe2_image.stream"].ignore_changes
    assert now.by_name[f"{H41}/caffe2_image.stream"].ignore_changes == ()


def test_no_key_travels_only_the_name_of_its_file() -> None:
    for make in (lab_stack, streamed_stack):
        program = Program(World(make()))
        for name, one in program.by_name.items():
            if name.endswith((".push", ".stream")):
                assert "a private key" not in str(one.inputs), name
                assert "private_key" not in str(one.inputs), name
                assert flat.parse(program.stdin(name))["ssh_key"] == "/nowhere/id_ed25519"


def test_the_settings_of_the_three_ways() -> None:
    assert named_registry_stack().image.distribution is Distribution.REGISTRY
    assert lab_stack().registry == Registry(server=RegistryServer.HEAD_HOST)
    assert (streamed_stack().registry, streamed_stack().image.distribution) == (None, Distribution.STREAM)
    assert lab_stack().hosts == streamed_stack().hosts
