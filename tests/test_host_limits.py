"""Limits of containers, read from made-up folders of cgroups as docker, kubernetes and systemd make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub.host_limits import (
    Allowed,
    CpuLimit,
    Limits,
    MemoryLimit,
    allowed,
    own_limits,
    read_limits,
)

MB = 1_000_000
NONE_V1 = "9223372036854771712"
STAT = f"anon {90 * MB}\nfile {40 * MB}\ninactive_file {30 * MB}\nactive_file {10 * MB}\n"
STAT_V1 = f"cache 1\ninactive_file 5\ntotal_cache 2\ntotal_inactive_file {30 * MB}\n"
OWN_V2 = "0::/kubepods.slice/pod1.slice/box\n"
OWN_V1 = "5:memory:/docker/f00\n4:cpu,cpuacct:/docker/f00\n1:name=systemd:/docker/f00\n0::/system.slice/docker\n"


def write(folder: Path, **files: str) -> None:
    """Files of a cgroup; `__` in their names stands for a dot."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def v2(folder: Path, memory: str = "max", cpu: str = "max 100000") -> None:
    """A cgroup of version 2."""
    write(folder, memory__max=memory, memory__current=str(130 * MB), memory__stat=STAT)
    write(folder, cpu__max=cpu, cpu__stat="usage_usec 2500000\nuser_usec 2000000")


def v1(root: Path, below: str, memory: str = NONE_V1, quota: str = "-1") -> None:
    """A cgroup of version 1, by controller."""
    write(root / "memory" / below, memory__limit_in_bytes=memory, memory__usage_in_bytes=str(130 * MB))
    write(root / "memory" / below, memory__stat=STAT_V1)
    write(root / "cpu" / below, cpu__cfs_quota_us=quota, cpu__cfs_period_us="100000")
    write(root / "cpuacct" / below, cpuacct__usage="2500000000")


def test_a_container_sees_its_own_cgroup_as_the_root(tmp_path: Path) -> None:
    v2(tmp_path, str(512 * MB), "150000 100000")
    assert read_limits(tmp_path, "0::/\n") == Limits(MemoryLimit(512 * MB, 100 * MB), CpuLimit(1.5, 2.5))


def test_of_nested_cgroups_the_tightest_counts(tmp_path: Path) -> None:
    v2(tmp_path / "kubepods.slice", str(4000 * MB), "400000 100000")
    v2(tmp_path / "kubepods.slice" / "pod1.slice", str(1000 * MB), "800000 100000")
    v2(tmp_path / "kubepods.slice" / "pod1.slice" / "box")
    limits = read_limits(tmp_path, OWN_V2)
    assert limits == Limits(MemoryLimit(1000 * MB, 100 * MB), CpuLimit(4.0, 2.5))


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    v1(tmp_path, "docker/f00", str(512 * MB), "50000")
    assert read_limits(tmp_path, OWN_V1) == Limits(MemoryLimit(512 * MB, 100 * MB), CpuLimit(0.5, 2.5))


def test_in_a_container_of_version_1_the_path_of_the_host_is_not_there(tmp_path: Path) -> None:
    v1(tmp_path, "", str(512 * MB), "200000")
    assert read_limits(tmp_path, OWN_V1) == Limits(MemoryLimit(512 * MB, 100 * MB), CpuLimit(2.0, 2.5))


def test_a_path_above_what_the_container_sees_is_not_followed(tmp_path: Path) -> None:
    v2(tmp_path, str(1 * MB))
    v2(tmp_path / "root", str(512 * MB))
    assert read_limits(tmp_path / "root", "0::/../..\n").memory == MemoryLimit(512 * MB, 100 * MB)


def test_where_nothing_is_limited_there_are_no_limits(tmp_path: Path) -> None:
    assert read_limits(tmp_path / "nowhere", OWN_V2) == Limits()
    v2(tmp_path / "v2")
    assert read_limits(tmp_path / "v2", "0::/") == Limits()
    v1(tmp_path / "v1", "")
    limits = read_limits(tmp_path / "v1", OWN_V1)
    assert limits.cpu is None
    assert limits.memory is not None and limits.memory.limit > 2**60  # more than any machine has


@pytest.mark.parametrize("nonsense", ["", "x", "\xff", "-5", "0", "nan", "inf", "10 0", "max max"])
def test_nonsense_limits_nothing(tmp_path: Path, nonsense: str) -> None:
    v2(tmp_path, nonsense, nonsense)
    v1(tmp_path, "", nonsense, nonsense)
    assert read_limits(tmp_path, nonsense) == Limits()


def test_what_files_take_that_are_not_in_use_does_not_count_and_nothing_is_below_0(tmp_path: Path) -> None:
    v2(tmp_path, str(512 * MB))
    write(tmp_path, memory__stat=f"inactive_file {200 * MB}")
    assert read_limits(tmp_path, "") == Limits(MemoryLimit(512 * MB, 0))
    (tmp_path / "memory.stat").unlink()
    assert read_limits(tmp_path, "") == Limits(MemoryLimit(512 * MB, 130 * MB))


def test_a_limit_whose_use_is_unknown_is_none(tmp_path: Path) -> None:
    write(tmp_path, memory__max=str(512 * MB), cpu__max="100000 100000")
    assert read_limits(tmp_path, "") == Limits()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Allowed()),
        ({"MEM_LIMIT": "536870912", "CPU_LIMIT": "1.5"}, Allowed(536870912, 1.5)),
        ({"MEM_LIMIT": "", "CPU_LIMIT": "None"}, Allowed()),
        ({"MEM_LIMIT": "0", "CPU_LIMIT": "-1"}, Allowed()),
    ],
)
def test_a_hub_tells_in_the_environment_what_is_allowed(environment: dict[str, str], expected: Allowed) -> None:
    assert allowed(environment) == expected


def test_those_of_this_process_can_be_read() -> None:
    memory, cpu = own_limits()
    assert memory is None or 0 < memory.used
    assert cpu is None or cpu.cores > 0
