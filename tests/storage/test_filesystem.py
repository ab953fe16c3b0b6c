"""Network file systems are told from the mount table: the deepest mount decides, and no table means no."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub.storage.filesystem import is_shared

TABLE = """\
/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /home nfs4 rw,vers=4.2 0 0
/dev/sdb1 /home/local xfs rw 0 0
//nas/share /mnt/My\\040Share cifs rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdc1 /mnt/usb fuseblk rw 0 0
gluster:/v /srv glusterfs rw 0 0
tmpfs /srv tmpfs rw 0 0
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    file = tmp_path / "mounts"
    file.write_text(TABLE)
    return file


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        *(("/", False), ("/var/lib/x", False), ("/home", True), ("/home/user/.local/share", True)),
        *(("/home/local", False), ("/home/local/deep/er", False), ("/homeless", False), ("/home/localhost", True)),
        *(("/mnt/My Share/x", True), ("/mnt/My", False), ("/mnt/ssh/x", True), ("/mnt/usb/x", False)),
        *(("/home/local/../user", True), ("/mnt", False)),
    ],
)
def test_the_deepest_mount_that_holds_the_path_decides(mounts: Path, path: str, shared: bool) -> None:
    assert is_shared(Path(path), mounts) == shared


def test_of_two_mounts_on_one_place_the_later_one_is_seen(mounts: Path) -> None:
    assert not is_shared(Path("/srv/x"), mounts)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "fuse.sshfs"])
def test_file_systems_that_several_machines_mount_are_shared(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"somewhere {tmp_path} {kind} rw 0 0\n")
    assert is_shared(tmp_path / "not" / "yet" / "there.sqlite", table)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs", "fuseblk"])
def test_file_systems_of_one_machine_are_not(tmp_path: Path, kind: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(f"somewhere {tmp_path} {kind} rw 0 0\n")
    assert not is_shared(tmp_path, table)


def test_links_are_followed_to_where_the_file_really_lies(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    table = tmp_path / "mounts"
    table.write_text(f"/dev/sda1 {tmp_path} ext4 rw 0 0\nserver:/x {real} nfs rw 0 0\n")
    assert is_shared(link / "hub.sqlite", table)


@pytest.mark.parametrize("escaped", ["\\011", "\\012", "\\134", "\\040"])
def test_escaped_characters_of_the_table_are_read(tmp_path: Path, escaped: str) -> None:
    place = tmp_path / f"a{chr(int(escaped[1:], 8))}b"
    place.mkdir()
    table = tmp_path / "mounts"
    table.write_text(f"server:/x {tmp_path}/a{escaped}b nfs rw 0 0\n")
    assert is_shared(place / "hub.sqlite", table)


@pytest.mark.parametrize("content", ["", "\n\n", "one\n", "one two\n", "\ufffd \ufffd\n"])
def test_a_table_that_says_nothing_means_no(tmp_path: Path, content: str) -> None:
    table = tmp_path / "mounts"
    table.write_text(content)
    assert not is_shared(tmp_path, table)


def test_bytes_that_are_no_text_do_not_hide_the_other_lines(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_bytes(b"x /mnt/\xff ext4 rw 0 0\n" + f"s:/x {tmp_path} nfs rw 0 0\n".encode())
    assert is_shared(tmp_path, table)


@pytest.mark.parametrize("missing", ["nothing", "."])
def test_no_table_means_no(tmp_path: Path, missing: str) -> None:
    assert not is_shared(tmp_path, tmp_path / missing)


def test_this_machine_s_table_can_be_read(tmp_path: Path) -> None:
    assert is_shared(tmp_path) in (True, False)
