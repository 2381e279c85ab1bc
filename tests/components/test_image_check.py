"""What each host is checked for before training, and that what was seen is told and nobody's input."""

from __future__ import annotations

import pulumi
import pytest

from components.image_check import STEP, check_settings, seen
from settings import flat
from settings.docker import GpuRuntime
from settings.gpu import GpuDriver
from settings.models import Stack
from settings.training import Device, Transport
from tests.components.harness import IMAGE_ID, Program, World, lab_stack, streamed_stack, whole_lab_stack

H41, H42 = "clx-mld-41", "clx-mld-42"


def _with(device: Device, transport: Transport, count: int | None) -> Stack:
    stack = whole_lab_stack()
    return stack.model_copy(
        update={
            "gpu": stack.gpu.model_copy(update={"count": count}),
            "training": stack.training.model_copy(update={"device": device, "transport": transport}),
        }
    )


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        (lab_stack(), {"runtime": "none", "gpus": "none", "needs_gpu": "no", "needs_rdma": "no"}),
        (
            _with(Device.GPU, Transport.IBVERBS, 4),
            {"runtime": "container-toolkit", "gpus": "4", "needs_gpu": "yes", "needs_rdma": "yes"},
        ),
        (
            _with(Device.CPU, Transport.TCP, None),
            {"runtime": "container-toolkit", "gpus": "any", "needs_gpu": "no", "needs_rdma": "no"},
        ),
    ],
)
def test_a_host_is_checked_for_what_the_stack_says(stack: Stack, said: dict[str, str]) -> None:
    assert check_settings(stack) == said


def test_without_a_driver_or_a_runtime_no_gpu_is_expected() -> None:
    stack = whole_lab_stack()
    no_driver = stack.gpu.model_copy(update={"driver": GpuDriver.NONE})
    no_runtime = stack.docker.model_copy(update={"runtime": GpuRuntime.NONE})
    for update in ({"gpu": no_driver}, {"docker": no_runtime}):
        assert check_settings(stack.model_copy(update=update))["gpus"] == "none"


@pytest.mark.parametrize("make", [lab_stack, streamed_stack])
def test_each_host_is_checked_once_it_has_the_image_and_before_training(make: type) -> None:
    program = Program(World(make()))
    for host, other in ((H41, H42), (H42, H41)):
        name = f"{host}/{STEP}"
        assert flat.parse(program.stdin(name))["image_id"] == IMAGE_ID
        assert f"{host}/caffe2_image.pull" in program.ancestors(name)
        assert name in program.ancestors(f"{other}/caffe2-shard-{0 if other == H41 else 1}")


def test_what_was_seen_is_the_last_line() -> None:
    assert seen('words\n{"gpus": "4: Tesla", "uverbs": "none"}\n') == {"gpus": "4: Tesla", "uverbs": "none"}
    for text in ("", "words", "[1]"):
        with pytest.raises(pulumi.RunError, match="did not say what it saw"):
            seen(text)


def test_nothing_but_the_outputs_takes_what_was_seen() -> None:
    program = Program(World(lab_stack()))
    for one in program.by_name.values():
        assert '"uverbs": "none"' not in str(one.inputs)
