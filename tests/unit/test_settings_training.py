"""The training's settings: each wrong one is one clear error, and its right twin passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from settings.loader import SettingsError, parse

ROOT = Path(__file__).parents[2]
Values = dict[str, Any]
_VERBS = {"transport": "ibverbs"}


def _sections(stack: str, **training: Any) -> Values:
    document = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8"))
    sections = {key.partition(":")[2]: value for key, value in document["config"].items() if ":" in key}
    sections["training"] |= training
    return sections


def _problems(stack: str, training: Values) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(_sections(stack, **training), f"Pulumi.{stack}.yaml")
    return str(caught.value)


# stack, wrong values, what is said, the right twin's values
CASES: list[tuple[str, Values, str, Values]] = [
    ("lab", {"num_layers": 19}, "is no ResNet depth; allowed: 18, 34", {"num_layers": 34}),
    ("lab", {"epoch_size": 31}, "allowed is at least batch_size * shards = 32", {"epoch_size": 32}),
    ("lab", {"test_epoch_size": 31}, "training.test_epoch_size = 31: is less", {"test_epoch_size": 32}),
    ("lab", {"image_size": 257}, "training.image_size = 257", {"image_size": 256}),
    ("lab", {"image_size": 31}, "training.image_size = 31", {"image_size": 32}),
    ("lab", {"num_channels": 2}, "training.num_channels = 2", {"num_channels": 1}),
    ("lab", {"num_labels": 1}, "training.num_labels = 1", {"num_labels": 2}),
    ("lab", {"base_learning_rate": 0}, "training.base_learning_rate = 0", {"base_learning_rate": 0.1}),
    ("lab", {"weight_decay": -0.1}, "training.weight_decay = -0.1", {"weight_decay": 0}),
    ("lab", {"data_path": "data"}, "training.data_path = 'data'", {"data_path": "/srv/data"}),
    ("lab", {"redis_port": 65536}, "training.redis_port = 65536", {"redis_port": 65535}),
    ("lab", {"dtype": "float16"}, "training.dtype = 'float16': is for GPUs", {"dtype": "float"}),
    ("lab", {"float16_compute": True}, "needs training.dtype float16", {"float16_compute": False}),
    ("lab", {"enable_tensor_core": True}, "is for GPUs; allowed", {"enable_tensor_core": False}),
    ("lab", {"device": "gpu"}, "training.device = 'gpu': needs image.flavour source", {"device": "cpu"}),
    ("lab", {"transport": "smoke"}, "training.transport = 'smoke': input should be 'tcp'", _VERBS),
    ("lab", {"timeout": 60, **_VERBS}, "allowed is at most 59", {"timeout": 60}),
    ("lab", {"first_iter_timeout": 40}, "is less than training.timeout = 45", {"first_iter_timeout": 45}),
    ("lab", {"gid_index": 3}, "training.gid_index = 3: is of no use with", {"gid_index": 3, **_VERBS}),
    ("lab", {"gid_index": 256, **_VERBS}, "training.gid_index = 256", {"gid_index": 255, **_VERBS}),
    ("lab", {"ack_timeout": 18}, "training.ack_timeout = 18: is of no use", {"ack_timeout": 18, **_VERBS}),
    ("lab", {"ack_timeout": 32, **_VERBS}, "training.ack_timeout = 32", {"ack_timeout": 31, **_VERBS}),
    (
        "lab",
        {"rdma_device": "mlx5_0"},
        "training.rdma_device = 'mlx5_0': is of no use with",
        {"rdma_device": "mlx5_0", **_VERBS},
    ),
    (
        "lab",
        {"rdma_nodes": ["rdma_cm"], **_VERBS},
        "lacks the card's own, such as uverbs0",
        {"rdma_nodes": ["uverbs1"], **_VERBS},
    ),
    (
        "lab",
        {"rdma_nodes": ["uverbs0", "uverbs0"], **_VERBS},
        "names a node twice",
        {"rdma_nodes": ["uverbs0", "uverbs1"], **_VERBS},
    ),
    ("lab", {"rdma_nodes": ["mem"], **_VERBS}, "training.rdma_nodes[0] = 'mem'", _VERBS),
    ("lab", {"load_model_path": "/data/m_1.mdl"}, "is for GPUs: the trainer loads", {}),
    (
        "roce100g",
        {"load_model_path": "/data/model.bin"},
        "does not end as the trainer names its models",
        {"load_model_path": "/data/model_1.mdl"},
    ),
    (
        "roce100g",
        {"load_model_path": "/data/model_2.mdl"},
        "has done 2 epochs; allowed is less than training.num_epochs = 2",
        {"load_model_path": "/data/model_0.mdl"},
    ),
    (
        "roce100g",
        {"load_model_path": "/srv/model_1.mdl"},
        "is not below training.data_path /data",
        {"load_model_path": "/data/a/model_1.mdl"},
    ),
    ("roce100g", {"num_layers": 101}, "allowed with image.flavour source: 50", {"num_layers": 50}),
    ("roce100g", {"shards_per_host": 5}, "is at most gpu.count = 4", {"shards_per_host": 3}),
    ("roce100g", {"dtype": "float"}, "float16_compute = True: needs", {"dtype": "float16"}),
    ("lab", {"barrier_seconds": 9}, "training.barrier_seconds = 9", {"barrier_seconds": 10}),
    ("lab", {"log_megabytes": 1}, "training.log_megabytes = 1", {"log_megabytes": 2}),
]


@pytest.mark.parametrize(("stack", "wrong", "says", "right"), CASES)
def test_a_wrong_value_is_one_clear_error_and_its_twin_passes(
    stack: str, wrong: Values, says: str, right: Values
) -> None:
    text = _problems(stack, wrong)
    assert says in text
    assert "has 1 " in text
    parse(_sections(stack, **right), f"Pulumi.{stack}.yaml")


def test_all_errors_are_told_at_once() -> None:
    text = _problems("lab", {"num_layers": 19, "epoch_size": 8, "gid_index": 1, "float16_compute": True})
    for path in ("num_layers = 19", "epoch_size = 8", "gid_index = 1", "float16_compute = True"):
        assert f"rocestack:training.{path}: " in text


def test_the_paths_of_the_data() -> None:
    stack = parse(_sections("lab", data_path="/srv"), "Pulumi.lab.yaml")
    assert (stack.training.train_path, stack.training.test_path) == ("/srv/train_lmdb", "/srv/val_lmdb")
