"""Generates whaletrader/schemas/<domain>_pb2.py and .pyi from schemas/, or checks them.

Owns every file in whaletrader/schemas that it writes; they are committed, so that a user needs
no compiler, and never edited. The descriptors keep their own paths
(whaletrader/<domain>/v1/<domain>.proto): those are what registries and other languages know
the messages by. Only the Python import lines are moved, to whaletrader.schemas.
Called by `make schemas`, and with --check by `make check`.
"""

import argparse
import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "schemas"
TARGET = ROOT / "whaletrader" / "schemas"
PATH_OF_A_DOMAIN = re.compile(r"whaletrader/(?P<domain>[a-z_]+)/v1/(?P=domain)\.proto")
# How the code and its stubs import a neighbour, and how a message class names its module (which
# pickle goes by).
IMPORT_LINE = re.compile(r"^from whaletrader\.(\w+)\.v1 import \1_pb2\b", re.MULTILINE)
MODULE_NAME = re.compile(r"'whaletrader\.(\w+)\.v1\.\1_pb2'")
PACKAGE_DOCSTRING = '''"""What is said: the generated messages, one module a domain of schemas/.

Owns nothing by hand: `make schemas` writes every file here. Imports nothing of the project;
everything else may import it.
"""
'''


class GenerationError(Exception):
    """The sources cannot be generated from: they are misplaced, or protoc refused them."""


def sources() -> list[str]:
    """Paths of the .proto files below schemas/, in an order that is the same everywhere."""
    found = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.proto"))
    if not found:
        raise GenerationError("no .proto file in schemas/")
    misplaced = [path for path in found if not PATH_OF_A_DOMAIN.fullmatch(path)]
    if misplaced:
        raise GenerationError(
            f"not at schemas/whaletrader/<domain>/v1/<domain>.proto: {', '.join(misplaced)}"
        )
    return found


def rewrite(text: str) -> str:
    """One generated file, at home in whaletrader.schemas."""
    text = IMPORT_LINE.sub(r"from whaletrader.schemas import \1_pb2", text)
    return MODULE_NAME.sub(r"'whaletrader.schemas.\1_pb2'", text)


def generate() -> dict[str, str]:
    """Text of each file that whaletrader/schemas is to hold, by its name."""
    names = sources()
    well_known = str(files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as folder:
        # protoc looks its plugins up on the PATH; the stub generator stands beside this Python.
        plugin = Path(sys.executable).with_name("protoc-gen-mypy")
        arguments = [
            "protoc",
            f"-I{SOURCES}",
            f"-I{well_known}",
            f"--plugin=protoc-gen-mypy={plugin}",
            f"--python_out={folder}",
            f"--mypy_out=quiet:{folder}",
            *names,
        ]
        if protoc.main(arguments) != 0:
            raise GenerationError("protoc refused the sources; its message is above")
        texts = {path.name: path.read_text() for path in Path(folder).rglob("*_pb2.py*")}
    generated = {name: rewrite(text) for name, text in sorted(texts.items())}
    return {"__init__.py": PACKAGE_DOCSTRING, **generated}


def committed() -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(TARGET.glob("*.py*"))}


def differences() -> list[str]:
    """One line for each file of whaletrader/schemas that is not what schemas/ says."""
    wanted, present = generate(), committed()
    lines = [f"missing: {name}" for name in wanted.keys() - present.keys()]
    lines += [f"has no source: {name}" for name in present.keys() - wanted.keys()]
    common = wanted.keys() & present.keys()
    lines += [f"differs: {name}" for name in common if wanted[name] != present[name]]
    return sorted(lines)


def write() -> None:
    wanted = generate()
    TARGET.mkdir(exist_ok=True)
    for name in committed().keys() - wanted.keys():
        (TARGET / name).unlink()
    for name, text in wanted.items():
        path = TARGET / name
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"whaletrader/schemas/{name}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is out of date")
    options = parser.parse_args()
    try:
        if not options.check:
            write()
            return 0
        lines = differences()
    except GenerationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if lines:
        sys.stderr.write("whaletrader/schemas is not what schemas/ says. Run `make schemas`.\n")
        sys.stderr.writelines(f"  {line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
