"""The image's own check, with a stand-in for Caffe2 and recorded answers of the tools that it asks."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates/caffe2_image"
OPERATORS = ["CreateCommonWorld", "Allreduce", "Broadcast", "RedisStoreHandlerCreate", "ImageInput", "Relu"]
ANSWERS = {
    "dpkg-query": "libibverbs1=41mlnx1-OFED.4.2.1.2.0.1.42120\nlibrdmacm1=\nperftest=4.1-0.4\n",
    "ibv_devinfo": "",
    "ib_write_bw": "",
    "nvcc": "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 9.2, V9.2.148\n",
    "nvidia-smi": "Tesla P100-PCIE-16GB, 396.26\n",
    "ofed_info": "MLNX_OFED_LINUX-4.2-1.2.0.0:\n",
    "redis-cli": "",
    "redis-server": "",
    "rocestack-dataset": "",
    "rocestack-shard": "",
}


@pytest.fixture(scope="module")
def preload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("preload") / "librocestack_verbs.so"
    subprocess.run(["sh", str(TEMPLATES / "preload/build.sh"), str(library)], check=True, timeout=60)
    return library


@pytest.fixture
def check(preload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the check as it would run in a good image of flavour source."""

    def refuse(_: object) -> None:
        raise RuntimeError("[enforce fail at redis_store_handler.cc:24] 1 vs 0. Connection refused")

    workspace = SimpleNamespace(RegisteredOperators=lambda: OPERATORS, RunOperatorOnce=refuse)
    core = SimpleNamespace(
        IsOperatorWithEngine=lambda name, engine: engine == "GLOO", CreateOperator=lambda *_, **__: None
    )
    monkeypatch.setitem(sys.modules, "caffe2", ModuleType("caffe2"))
    monkeypatch.setitem(sys.modules, "caffe2.python", SimpleNamespace(core=core, workspace=workspace))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, answer in ANSWERS.items():
        (tools / f"{name}.txt").write_text(answer)
        (tools / name).write_text(f"#!/bin/sh\ncat {tools / name}.txt\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (tmp_path / "good_test.py").write_text("import sys\nsys.exit(print('OK', file=sys.stderr))\n")
    (tmp_path / "bad_test.py").write_text("import sys\nprint('FAILED (errors=1)', file=sys.stderr)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "trainer.py").touch()

    spec = importlib.util.spec_from_file_location("check_image", TEMPLATES / "check_image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PRELOAD", str(preload))
    monkeypatch.setattr(module, "TRAINER", str(tmp_path / "trainer.py"))
    (tmp_path / "check_dataset.py").write_text("import sys\nassert sys.argv[1:] == ['rocestack-dataset']\n")
    monkeypatch.setattr(module, "DATASET_CHECK", str(tmp_path / "check_dataset.py"))
    return module


def test_a_good_image_tells_what_is_in_it(check: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["source", "good_test"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out.splitlines()[-1])
    assert all(isinstance(value, str) and value for value in found.values())
    assert {key: found[key] for key in ("cuda", "gpu", "ofed", "operator_test", "caffe2_operators")} == {
        "cuda": "9.2.148",
        "gpu": "Tesla P100-PCIE-16GB, 396.26",
        "ofed": "MLNX_OFED_LINUX-4.2-1.2.0.0",
        "operator_test": "good_test: OK",
        "caffe2_operators": "6",
    }
    assert found["rdma_packages"] == "libibverbs1=41mlnx1-OFED.4.2.1.2.0.1.42120 perftest=4.1-0.4"


def test_what_is_not_there_is_none(
    check: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("nvcc", "nvidia-smi", "ofed_info"):
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho failed\nexit 1\n")
    assert check.main(["source", "good_test"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (found["cuda"], found["gpu"], found["ofed"]) == ("none", "none", "none")


@pytest.mark.parametrize("missing", OPERATORS[:5])
def test_a_missing_operator_is_a_fault(
    check: ModuleType, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    check.workspace.RegisteredOperators = lambda: [name for name in OPERATORS if name != missing]
    assert check.main(["source", "good_test"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"rocestack-check: operator {missing} is not registered"]
    assert said.out == ""


@pytest.mark.parametrize("tool", ["redis-server", "ib_write_bw", "rocestack-shard", "rocestack-dataset"])
def test_a_missing_tool_is_a_fault(
    check: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin" / tool).unlink()
    assert list(check.tool_faults("source")) == [f"{tool} is not installed"]


def test_each_flavour_has_needs_of_its_own(check: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert not list(check.tool_faults("source"))
    assert "OPENBLAS_NUM_THREADS is not 1" in list(check.tool_faults("debian"))
    assert "OMP_NUM_THREADS is not 1" not in list(check.tool_faults("debian"))


def test_a_library_that_is_not_there_or_does_nothing_is_a_fault(
    check: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert list(check.preload_faults()) == []
    monkeypatch.setattr(check, "PRELOAD", str(tmp_path / "none.so"))
    assert [fault.partition(":")[0] for fault in check.preload_faults()] == [
        "the preload library cannot be loaded"
    ]
    # libibverbs itself has both functions, and takes any setting.
    monkeypatch.setattr(check, "PRELOAD", "libibverbs.so.1")
    assert [fault.partition(",")[0] for fault in check.preload_faults()] == [
        "the preload library took a wrong setting"
    ]


def test_an_operator_test_that_fails_is_a_fault(check: ModuleType) -> None:
    assert list(check.operator_test_faults("good_test", [])) == []
    for module in ("bad_test", "no_such_test"):
        (fault,) = check.operator_test_faults(module, [])
        assert fault.startswith(f"operator test {module} failed:")


def test_data_that_cannot_be_made_or_read_is_a_fault(check: ModuleType, tmp_path: Path) -> None:
    assert list(check.dataset_faults()) == []
    (tmp_path / "check_dataset.py").write_text("import sys\nsys.exit('no module named lmdb')\n")
    assert list(check.dataset_faults()) == ["training data cannot be made and read:\nno module named lmdb"]
    (tmp_path / "check_dataset.py").write_text(
        "import sys\nprint('blue is red')\nsys.exit('Caffe2 says much')\n"
    )
    assert list(check.dataset_faults()) == ["training data cannot be made and read:\nblue is red"]
    (tmp_path / "check_dataset.py").unlink()
    (fault,) = check.dataset_faults()
    assert "can't open file" in fault


def test_a_store_that_takes_any_port_or_hides_its_error_is_a_fault(check: ModuleType) -> None:
    assert list(check.error_faults()) == []
    check.workspace.RunOperatorOnce = lambda _: None
    assert list(check.error_faults()) == ["a store on a port without Redis was accepted"]


@pytest.mark.parametrize("arguments", [[], ["debian"], ["another", "good_test"]])
def test_wrong_arguments_are_refused(check: ModuleType, arguments: list[str]) -> None:
    assert check.main(arguments) == 2
