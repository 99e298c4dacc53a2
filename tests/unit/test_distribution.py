"""What is shipped: one wheel with one top-level name, a lock for each service, and the images.

Owns the promises of pyproject.toml, requirements/, Dockerfile and compose.yaml that can be held
without a network and without a container engine. That the images build is not shown here.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from functools import cache
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import grimp
import pytest
import yaml
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[2]
PACKAGED = ("whaletrader/", "services/", "lab/")
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/__init__.py"))
# Images that are somebody else's; all others of compose.yaml are built here.
SERVERS = {"kafka", "nats", "timescaledb", "valkey"}
REQUIREMENT = re.compile(r"^(?P<name>[a-z0-9][a-z0-9.-]*)==\S+", re.MULTILINE)


@cache
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return loaded


def extras() -> set[str]:
    return set(pyproject()["tool"]["setuptools"]["dynamic"]["optional-dependencies"])


@cache
def tracked() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git knows, so that nothing else can slip in."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(target), str(source)]
    subprocess.run(command, check=True)
    [built] = target.glob("*.whl")
    return built


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def lock_of(extra: str) -> str:
    return (ROOT / "requirements" / f"{extra}.txt").read_text()


@cache
def locked(extra: str) -> frozenset[str]:
    return frozenset(match["name"] for match in REQUIREMENT.finditer(lock_of(extra)))


@cache
def imports() -> grimp.ImportGraph:
    graph = grimp.build_graph("whaletrader", include_external_packages=True)
    # Fixtures that a package offers to tests need pytest; nothing of the product imports them.
    for name in [it for it in graph.modules if it.endswith(".testing")]:
        if not graph.find_modules_that_directly_import(name):
            graph.remove_module(name)
    return graph


def third_party(package: str) -> set[str]:
    """What a package imports of others, through however many modules of ours."""
    graph = imports()
    reached = graph.find_upstream_modules(package, as_package=True)
    outside = {name for name in reached if graph.is_module_squashed(name)}
    return {name.partition(".")[0] for name in outside} - sys.stdlib_module_names


def missing_from(extra: str, imported: set[str]) -> list[str]:
    """Those imported names that no distribution of the lock brings."""
    providers = packages_distributions()
    found = []
    for name in sorted(imported):
        distributions = {re.sub(r"[-_.]+", "-", it).lower() for it in providers.get(name, [])}
        if not distributions & locked(extra):
            found.append(name)
    return found


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wheel_brings_one_top_level_name(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names_in(wheel)}
    [metadata] = [name for name in tops if name.endswith(".dist-info")]
    assert tops == {"whaletrader", metadata}


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    wanted = set()
    for name in tracked():
        if name.startswith(PACKAGED) and not (ROOT / name).is_symlink():
            wanted.add(name if name.startswith("whaletrader/") else f"whaletrader/{name}")
    assert wanted, "nothing to pack"
    assert wanted <= set(names_in(wheel))
    assert not [name for name in names_in(wheel) if "__pycache__" in name]


def test_an_installed_copy_finds_its_services_and_its_metadata(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import importlib.metadata as m, whaletrader.services as s, whaletrader.lab\n"
        "print(s.__file__)\n"
        "print(*m.metadata('whaletrader').get_all('Provides-Extra'))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    file, provided = done.stdout.splitlines()
    assert file == str(tmp_path / "whaletrader/services/__init__.py")
    assert set(provided.split()) == extras()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_an_extra_and_a_lock(service: str) -> None:
    assert service in extras()
    assert locked(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_locks_everything_it_imports(service: str) -> None:
    missing = missing_from(service, third_party(f"whaletrader.services.{service}"))
    assert not missing, f"add to requirements/{service}.in, then `make lock`: {missing}"


def test_the_demo_locks_everything_that_the_command_line_and_the_shared_packages_import() -> None:
    # What looks for cheats among many wallets is research: its libraries come with the lab's.
    research = {"whaletrader.lab", "whaletrader.quant.surveillance"}
    packages = imports().find_children("whaletrader") | imports().find_children("whaletrader.quant")
    packages -= {"whaletrader.quant", *research}
    # `whales --parquet` alone wants it, and says which extra brings it.
    named_when_missing = {"pyarrow"}
    imported = set[str]().union(*map(third_party, packages)) - named_when_missing
    missing = missing_from("demo", imported)
    assert not missing, f"add to requirements/base.in or local.in, then `make lock`: {missing}"


@pytest.mark.parametrize("lock", sorted({*extras(), "build"}))
def test_a_lock_pins_each_package_by_hash_and_names_no_host(lock: str) -> None:
    text = lock_of(lock)
    assert "://" not in text
    entries = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert entries
    assert all(REQUIREMENT.match(line) and line.endswith("\\") for line in entries)
    assert len(re.findall(r"\\\n    --hash=sha256:[0-9a-f]{64}", text)) >= len(entries)


@pytest.mark.parametrize("lock", sorted({*extras(), "build"} - {"dev"}))
def test_a_lock_holds_only_versions_that_the_tests_ran_on(lock: str) -> None:
    pins = {match.group() for match in REQUIREMENT.finditer(lock_of(lock))}
    assert pins <= {match.group() for match in REQUIREMENT.finditer(lock_of("dev"))}


def test_a_lock_is_out_of_date_when_a_range_changes_and_not_when_a_comment_does(
    tmp_path: Path,
) -> None:
    locks = load_script("lock_requirements")
    ranges = tmp_path / "risk.in"
    ranges.write_text("# Why.\nnumpy>=2\n")
    before = locks.digest([ranges])
    ranges.write_text("# Another reason.\n\nnumpy>=2  # here too\n")
    assert locks.digest([ranges]) == before
    ranges.write_text("numpy>=3\n")
    assert locks.digest([ranges]) != before


def test_generated_code_that_was_edited_removed_or_left_behind_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = load_script("generate_schemas")
    copy = tmp_path / "schemas"
    shutil.copytree(ROOT / "whaletrader" / "schemas", copy)
    monkeypatch.setattr(generator, "TARGET", copy)
    assert generator.differences() == []
    (copy / "order_pb2.py").write_text("# edited\n")
    (copy / "risk_pb2.pyi").unlink()
    (copy / "gone_pb2.py").write_text("")
    found = ["differs: order_pb2.py", "has no source: gone_pb2.py", "missing: risk_pb2.pyi"]
    assert generator.differences() == found


def test_a_schema_out_of_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = load_script("generate_schemas")
    monkeypatch.setattr(generator, "SOURCES", tmp_path)
    with pytest.raises(generator.GenerationError, match=r"no \.proto file"):
        generator.sources()
    (tmp_path / "order.proto").touch()
    with pytest.raises(generator.GenerationError, match=r"not at .*: order\.proto"):
        generator.sources()


def test_compose_starts_every_service_and_no_other() -> None:
    built = {name for name, it in compose()["services"].items() if "build" in it}
    assert built == set(SERVICES)
    assert set(compose()["services"]) - built == SERVERS


@pytest.mark.parametrize("service", SERVICES)
def test_compose_builds_a_service_by_its_own_name_and_waits_for_what_it_needs(
    service: str,
) -> None:
    described = compose()["services"][service]
    assert described["build"]["args"] == {"SERVICE": service}
    assert described["depends_on"].keys() >= SERVERS
    assert all(it["condition"] == "service_healthy" for it in described["depends_on"].values())
    for awaited in described["depends_on"]:
        assert awaited in SERVICES or "healthcheck" in compose()["services"][awaited]


def test_compose_publishes_the_gateway_only_and_on_loopback_only() -> None:
    published = {name: it["ports"] for name, it in compose()["services"].items() if "ports" in it}
    assert published.keys() == {"gateway"}
    assert all(port.startswith("127.0.0.1:") for port in published["gateway"])


def settings_types() -> set[type[BaseSettings]]:
    """Every settings type of the runtime and of the services' config modules."""
    configs = sorted(path.parent.name for path in ROOT.glob("services/*/config.py"))
    names = ["whaletrader.runtime.settings"]
    names += [f"whaletrader.services.{service}.config" for service in configs]
    modules = map(import_module, names)
    members = [member for module in modules for member in vars(module).values()]
    types = [it for it in members if isinstance(it, type) and issubclass(it, BaseSettings)]
    return set(types) - {BaseSettings}


def known_settings() -> set[str]:
    """The environment variables that those types read."""
    names = set()
    for type_ in settings_types():
        prefix = type_.model_config.get("env_prefix", "")
        for name, field in type_.model_fields.items():
            names.add(str(field.validation_alias or f"{prefix}{name}").upper())
    return names


@pytest.mark.parametrize("file", ["compose.yaml", "Dockerfile"])
def test_no_setting_is_named_that_nothing_reads(file: str) -> None:
    named = set(re.findall(r"(?:WHALETRADER_|KAFKA_BOOTSTRAP)[A-Z_]*", (ROOT / file).read_text()))
    assert named
    assert named <= known_settings()


def dockerfile() -> list[str]:
    """Its instructions, one a line, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_runs_as_nobody_special_from_a_stage_without_build_tools() -> None:
    lines = dockerfile()
    final = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER 10001:10001" in final
    assert not [line for line in final if "pip " in line or "apt-get" in line]
    assert [line for line in final if line.startswith("HEALTHCHECK") and "/livez" in line]


def test_the_image_installs_from_the_service_s_lock_by_hash() -> None:
    installs = [
        part
        for line in dockerfile()
        for part in line.split("&&")
        if "pip" in part and " install " in part
    ]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-deps --no-index" in command
    assert any('-r "requirements/$SERVICE.txt"' in command for command in installs)


def test_the_build_context_holds_what_the_image_is_built_from() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert kept >= {"pyproject.toml", "README.md", "services/", "lab/", "whaletrader/"}
    assert {"requirements/*.in", "requirements/*.txt"} <= kept
