"""This package on a system that it is not on: its modules see of Python only what there is on Windows, or on macOS.

Only they do: the server around them, the standard library and the tests see all. What is missing is taken from the
types of the standard library (typeshed), which say so name by name.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any, Final, Literal

System = Literal["win32", "darwin"]

PACKAGE: Final = "jupyter_ws_hub"
REPOSITORY: Final = Path(__file__).parents[2]
SHOWN_IN_PART: Final = ("errno", "os", "select", "signal", "socket", "time")
LOOP: Final = "_make_subprocess_transport add_signal_handler remove_signal_handler create_unix_server".split()
"""What the event loop that Jupyter chooses on Windows has not got: there these are those of its base class."""
READERS: Final = ("codecs", "genericpath", "io", "os", "pathlib", "posixpath")
"""Modules that open files for those that call them."""


def environment(folder: Path, system: System) -> dict[str, str]:
    """Variables with which Python starts as if on this system; `folder` is an empty one for that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"from tests.support.lacking import install\ninstall({system!r})\n")
    return {"PYTHONPATH": f"{folder}:{REPOSITORY}"}


def install(system: System) -> None:
    """In this process, from now on."""
    assert not any(name.startswith(PACKAGE) for name in sys.modules), "it has seen this system already"
    builtins.__import__ = _Importer(system)
    if system == "win32":
        for name in LOOP:
            delattr(asyncio.SelectorEventLoop, name)
    sys.addaudithook(_refuse_proc)


class _Importer:
    """In place of `__import__`."""

    def __init__(self, system: System) -> None:
        self._import = builtins.__import__
        self._shown: dict[str, ModuleType] = {name: _shown(name, system) for name in SHOWN_IN_PART}
        self._shown["sys"] = _Shown("sys", sys, set(), {"platform": system})
        self._missing = set(missing_modules(system))

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level == 0 and _is_ours(globals or {}):
            if name in self._missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if name in self._shown:
                return self._shown[name]
        return self._import(name, globals, locals, fromlist or (), level)


def _is_ours(globals: Mapping[str, Any]) -> bool:
    name = globals.get("__package__") or globals.get("__name__") or ""
    return f"{name}.".startswith(f"{PACKAGE}.")


class _Shown(ModuleType):
    """A module without some of its names, and with others in their place."""

    def __init__(self, name: str, module: ModuleType, hidden: Iterable[str], instead: Mapping[str, object]) -> None:
        super().__init__(name)
        self.__dict__.update(instead)
        self.__dict__["_of"] = module, frozenset(hidden)

    def __getattr__(self, name: str) -> Any:
        module, hidden = self.__dict__["_of"]
        if name in hidden:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(module, name)


def _shown(name: str, system: System) -> ModuleType:
    module = importlib.import_module(name)
    instead: dict[str, object] = {}
    if name == "os" and system == "win32":
        instead = {"name": "nt", "supports_dir_fd": frozenset(), "supports_fd": frozenset()}
    return _Shown(name, module, names(name, "linux") - names(name, system), instead)


@cache
def _types() -> Path:
    spec = find_spec("mypy")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "typeshed" / "stdlib"


@cache
def _tree(module: str) -> ast.Module:
    path = _types() / f"{module}.pyi"
    return ast.parse((path if path.exists() else _types() / module / "__init__.pyi").read_text())


def names(module: str, system: str, *, imported: bool = True) -> set[str]:
    """What a module of the standard library has on a system; with `imported` also what it has from others."""
    return set(_names(_tree(module).body, system, imported))


def _names(body: Sequence[ast.stmt], system: str, imported: bool) -> Iterable[str]:
    for node in body:
        match node:
            case ast.If():
                told = SimpleNamespace(platform=system, version_info=sys.version_info)
                is_so = eval(compile(ast.Expression(node.test), "typeshed", "eval"), {"sys": told})
                yield from _names(node.body if is_so else node.orelse, system, imported)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.ImportFrom() if imported:
                yield from (alias.asname or alias.name for alias in node.names)


def missing_modules(system: System) -> list[str]:
    """The modules of the standard library that have nothing on this system, and something on Linux."""

    def is_missing(module: str) -> bool:
        if "sys.platform" not in (_types() / f"{module}.pyi").read_text():
            return False  # soon said, of most
        has = {where: _public(names(module, where, imported=False)) for where in ("linux", system)}
        return bool(has["linux"]) and not has[system]

    return [path.stem for path in sorted(_types().glob("*.pyi")) if is_missing(path.stem)]


def _public(found: Iterable[str]) -> set[str]:
    return {name for name in found if not name.startswith("_")}


def _refuse_proc(event: str, arguments: tuple[Any, ...]) -> None:
    """Only Linux has /proc."""
    if event not in ("open", "os.listdir", "os.scandir") or not str(arguments[0]).startswith("/proc/"):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") in READERS:
        frame = frame.f_back
    if frame is not None and _is_ours(frame.f_globals):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])
