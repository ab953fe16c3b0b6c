"""The layers may not be mixed: imports, state, sizes and the tests' places are as the architecture wants them.

A module imports what stands below it, or its own package. Imports for type checkers count too, but inside a package.
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = "jupyter_ws_hub"
SOURCES: Final = [file.relative_to(ROOT) for file in sorted((ROOT / PACKAGE).rglob("*.py"))]
TESTS: Final = [file.relative_to(ROOT) for file in sorted((ROOT / "tests").rglob("*.py"))]
TREES: Final = {path: ast.parse((ROOT / path).read_text()) for path in (*SOURCES, *TESTS)}

ORDER: Final = [
    "protocol",
    "plugins ports notifier rates system turns",
    "storage cli",
    "hub terminals transfers listing chat notices",
    "services assistants",
]
TOP: Final = [
    "handlers host host_events host_files host_limits host_listing host_manager host_notices host_remote host_usage"
    " identity config server_api watchdog",
    "app typescript",
    "reference",
    "__init__ __main__",
]
LEVEL: Final = {part: level for level, parts in enumerate([*ORDER, *TOP]) for part in parts.split()}
TOGETHER: Final = {
    "handlers",
    "host",
    "host_files",
    "host_listing",
    "host_manager",
    "host_remote",
    "identity",
    "config",
    "host_events",
    "host_limits",
    "host_notices",
    "host_usage",
    "server_api",
}
PLATFORM: Final = ("handlers/", "app", "host", "identity", "terminals/")
ONLY_IN: Final = {
    **dict.fromkeys(["tornado", "jupyter_server", "jupyter_server_terminals"], PLATFORM),
    **{"terminado": ("terminals/",), "sqlite3": ("storage/sqlite/", "app"), "redis": ("storage/redis",)},
}
IMPURE: Final = {"asyncio", "socket", "sqlite3", "threading", "time", "random", "secrets", "uuid", "os"}
CONTAINERS: Final = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict"}
STATEFUL: Final = {"count", "Queue", "Event", "Lock", "ContextVar", "WeakSet", "WeakKeyDictionary"}
MUTATORS: Final = {"append", "extend", "add", "update", "setdefault", "insert", "pop", "remove", "discard", "clear"}
NOT_MIRRORED: Final = {
    "chat/assistant.py": "types",
    "chat/chat.py": "a dataclass",
    "chat/draft.py": "tested through tests/chat/test_answers.py",
    "chat/room.py": "types",
    "chat/saying.py": "tested through the service in tests/services/test_chat_people.py",
    "chat/settings.py": "a struct of defaults",
    "cli/download.py": "tested as real processes in tests/integration/test_cli_transfers.py",
    "cli/download_stream.py": "tested through tests/cli/test_download_run.py",
    "cli/upload.py": "tested as real processes in tests/integration/test_cli_transfers.py",
    "cli/upload_run.py": "tested as real processes in tests/integration/test_cli_transfers.py",
    "assistants/openai_client.py": "tested through tests/assistants/test_openai.py",
    "handlers/direct_stream.py": "tested through the protocol in tests/handlers/test_direct.py",
    "handlers/lending.py": "tested with what it is for in tests/handlers/test_bulk.py",
    "handlers/parts.py": "a dataclass",
    "hub/commons.py": "a dataclass",
    "hub/settings.py": "a struct of defaults",
    "notices/settings.py": "a struct of defaults",
    "services/ports.py": "types",
    "storage/base.py": "types; tests/storage/contract.py is their test",
    "storage/failover_documents.py": "tested through its port in tests/storage/test_failover.py",
    "storage/sqlite/documents.py": "tested through its port in tests/storage/test_sqlite.py",
    "storage/sqlite/log.py": "tested through its port in tests/storage/test_sqlite.py",
    "storage/sqlite/values.py": "tested through its port in tests/storage/test_sqlite.py",
    "transfers/operation.py": "types",
    "transfers/settings.py": "a struct of defaults",
    "transfers/ports.py": "types",
}


class Import(NamedTuple):
    """That a module (its path inside the package, without suffix) imports another, named by its parts."""

    source: str
    target: tuple[str, ...]
    line: int
    for_types: bool


def is_module(parts: list[str]) -> bool:
    return Path(*parts).with_suffix(".py") in SOURCES or Path(*parts, "__init__.py") in SOURCES


def imports(path: Path) -> Iterator[Import]:
    here = [PACKAGE, *path.with_suffix("").parts[1:]]
    guards = [n for n in ast.walk(TREES[path]) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    for_types = {id(node) for guard in guards for statement in guard.body for node in ast.walk(statement)}
    for node in ast.walk(TREES[path]):
        names: list[list[str]] = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (here[: -node.level] if node.level else []) + (node.module.split(".") if node.module else [])
            names = [[*base, alias.name] if is_module([*base, alias.name]) else base for alias in node.names]
        for name in names:
            yield Import("/".join(here[1:]), tuple(name), getattr(node, "lineno", 0), id(node) in for_types)


IMPORTS: Final = [found for path in SOURCES for found in imports(path)]


def is_wrong(found: Import) -> bool:
    """Whether an import breaks the order of the layers."""
    source, target = found.source.split("/")[0], found.target[1]
    if target == source:
        inner = (*found.target, "__init__")[2]
        return source == "services" and not found.for_types and inner not in {"base", "ports", "__init__"}
    return LEVEL[target] >= LEVEL[source] and not {source, target} <= TOGETHER


def test_a_module_imports_only_what_is_below_it() -> None:
    inner = [found for found in IMPORTS if found.target[0] == PACKAGE and found.target[1:]]
    assert {path.with_suffix("").parts[1] for path in SOURCES} <= set(LEVEL), "a part has no layer"
    assert [found for found in inner if is_wrong(found)] == []


def test_the_hub_knows_only_the_ports_of_storage() -> None:
    from_storage = [f for f in IMPORTS if f.source.startswith("hub/") and f.target[:2] == (PACKAGE, "storage")]
    assert [found for found in from_storage if found.target[2:] != ("base",)] == []


def test_the_protocol_is_pure() -> None:
    allowed = (set(sys.stdlib_module_names) - IMPURE) | {"msgspec", PACKAGE}
    assert [f for f in IMPORTS if f.source.startswith("protocol/") and f.target[0] not in allowed] == []


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_of_the_platform_stays_in_its_places(library: str) -> None:
    assert [f for f in IMPORTS if f.target[0] == library and not f.source.startswith(ONLY_IN[library])] == []


def test_frames_are_written_in_one_place() -> None:
    writers = {p for p in SOURCES for node in ast.walk(TREES[p]) if getattr(node, "attr", "") == "write_message"}
    assert writers <= {Path(PACKAGE, "handlers", "base.py")}


def state(path: Path) -> Iterator[str]:
    """What a module keeps between calls: containers that are no constants or are changed, and other state."""
    constants: set[str] = set()
    scopes = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in (n for s in TREES[path].body if not isinstance(s, scopes) for n in ast.walk(s)):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        maker = getattr(node.value, "func", None)
        name = getattr(maker, "id", getattr(maker, "attr", ""))
        literal = isinstance(node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if name in STATEFUL or ((literal or name in CONTAINERS) and not ast.unparse(target).isupper()):
                yield f"{path}:{node.lineno} {ast.unparse(target)}" * (ast.unparse(target) != "__all__")
            constants.add(ast.unparse(target))
    for node in ast.walk(TREES[path]):
        changed = node.value if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) else None
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in MUTATORS:
            changed = getattr(node.func, "value", None)
        if isinstance(node, ast.FunctionDef) and any("cache" in ast.unparse(d) for d in node.decorator_list):
            yield f"{path}:{node.lineno} {node.name} keeps what it has answered"
        if isinstance(node, ast.Global) or (isinstance(changed, ast.Name) and changed.id in constants):
            yield f"{path}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}"


def test_no_module_keeps_state() -> None:
    assert [found for path in SOURCES for found in state(path) if found] == []


def length(path: Path) -> int:
    return len((ROOT / path).read_text().splitlines())


def test_python_files_are_short() -> None:
    assert [(str(path), length(path)) for path in TREES if length(path) > 400] == []
    handlers = {path.name: length(path) for path in SOURCES if path.parts[1] == "handlers"}
    assert {name: n for name, n in handlers.items() if n > (200 if name == "base.py" else 120)} == {}


def test_most_python_files_are_quite_short() -> None:
    assert statistics.median(length(path) for path in TREES if length(path) > 0) <= 150


def test_files_of_the_frontend_are_short() -> None:
    files = [path for path in Path(ROOT, "labextension", "src").rglob("*.ts*") if path.name != "generated.ts"]
    assert [(str(path.relative_to(ROOT)), length(path)) for path in files if length(path) > 400] == []


def test_functions_are_short() -> None:
    long = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node, clean=False)
                lines = (node.end_lineno or 0) - node.lineno + 1 - (len(text.splitlines()) if text else 0)
                long += [f"{path}:{node.lineno} {node.name}: {lines} lines"] * (lines > 40)
    assert long == []


def test_every_module_has_its_test() -> None:
    modules = [path.relative_to(PACKAGE) for path in SOURCES if path.name != "__init__.py"]
    missing = [str(m) for m in modules if Path("tests", m.parent, f"test_{m.name}") not in TESTS]
    assert [module for module in missing if module not in NOT_MIRRORED] == []
    assert [module for module in NOT_MIRRORED if module not in missing] == [], "these are no exceptions"
