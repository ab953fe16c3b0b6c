"""Random walks of uploads of trees; see upload_storm.py."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal, TypeAlias

from jupyter_ws_hub.protocol.errors import HubError

from .address import NET_ERRORS
from .tree_client import TreeClient
from .upload_storm import Policy, Storm

TreeStep: TypeAlias = Literal["cut", "kill", "two", "pause"]


class TreeWalk:
    """One tree's upload."""

    def __init__(self, storm: Storm, number: int) -> None:
        """Choose files, a policy, and what is there before."""
        self.storm, self.chance = storm, storm.chance
        self.folder = storm.server.root / f"tree{number}"
        self.policy: Policy = self.chance.choice(["fail", "overwrite", "rename"])
        self.files = {
            f"d{self.chance.randrange(4)}/e{self.chance.randrange(3)}/f{one}.txt": self.chance.randbytes(
                self.chance.choice([0, 3, 4000, 70_000])
            )
            for one in range(300)
        }
        self.old = set() if self.policy == "fail" else set(self.chance.sample(sorted(self.files), 40))
        self.op = ""

    def client(self) -> TreeClient:
        """A client over the bad network."""
        return TreeClient(self.storm.address, self.op, [("empty", None), *self.files.items()])

    def look(self) -> int:
        """Each file is whole or as before, and there is no other; how many are new."""
        seen = {str(path.relative_to(self.folder)): path for path in self.folder.rglob("*") if path.is_file()}
        seen = {name: path for name, path in seen.items() if not path.name.startswith(".~")}
        new = 0
        for name, data in self.files.items():
            content = {one: seen.pop(one).read_bytes() for one in (name, renamed(name)) if one in seen}
            if self.policy == "rename" and name in self.old:
                assert content.pop(name) == b"old"
                is_new = content.pop(renamed(name), None) == data
            else:
                is_new = name in content and content[name] == data
                before = {name: b"old"} if name in self.old else {}
                content = {} if is_new or content == before else content
            assert content == {}, name
            new += is_new
        assert seen == {}, "there are doubles"
        return new

    async def run(self, steps: Sequence[TreeStep]) -> None:
        """These steps, and the end, if it has not come before."""
        for name in self.old:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(b"old")
        self.folder.mkdir(exist_ok=True)
        size = sum(map(len, self.files.values()))
        made = await self.storm.ask(
            "create", direction="upload", kind="tree", path=self.folder.name, size=size, if_exists=self.policy
        )
        self.op = made["op"]
        for name in steps:
            self.storm.done[f"tree {name}"] += 1
            await {"cut": self.cut, "kill": self.kill, "two": self.two, "pause": self.pause}[name]()
            self.storm.good_network()
            self.look()
        if self.chance.random() < 0.2:
            await self.cancel()
            return
        done = await self.storm.insist(lambda: self.client().upload_tree())
        assert (done.entries, done.failed) == (301, 0)
        assert self.look() == len(self.files)
        assert (self.folder / "empty").is_dir()
        self.storm.done["tree done"] += 1

    async def attempt(self) -> None:
        """One stream."""
        try:
            await self.client().upload_tree()
        except (*NET_ERRORS, HubError) as error:
            self.storm.expect(error)

    async def cut(self) -> None:
        """A connection that ends at any byte."""
        self.storm.bad_network(sum(map(len, self.files.values())))
        await self.attempt()

    async def kill(self) -> None:
        """The server dies while files are published."""
        await self.storm.kill(self.client().upload_tree())

    async def two(self) -> None:
        """Two streams at once."""
        await asyncio.gather(self.attempt(), self.attempt())

    async def pause(self) -> None:
        """A pause while it runs."""
        running = asyncio.create_task(self.attempt())
        await asyncio.sleep(self.chance.choice([0, 0.02, 0.1]))
        await self.storm.ask("pause", op=self.op)
        await running
        await self.storm.ask("resume", op=self.op)

    async def cancel(self) -> None:
        """While it runs: whole files stay."""
        running = asyncio.create_task(self.attempt())
        await asyncio.sleep(self.chance.choice([0, 0.02, 0.1]))
        status = await self.storm.ask("cancel", op=self.op)
        await running
        assert status["state"] in ("cancelled", "done")
        self.look()
        self.storm.done["tree cancelled"] += 1


def renamed(name: str) -> str:
    """What a taken name becomes."""
    return name.replace(".txt", "-1.txt")
