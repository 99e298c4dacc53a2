"""What is said when Java, Maven, a wheel or TimescaleDB is missing, and what is left behind."""

import subprocess
from pathlib import Path

import pytest

from whaletrader.stack.errors import ServerUnavailable
from whaletrader.stack.servers import java, postgres, wheels
from whaletrader.stack.servers.java import fetch, find_java, java_version, maven
from whaletrader.stack.servers.kafka import KafkaServer
from whaletrader.stack.testing import skip_or_fail


def jdk(folder: Path, version: str) -> Path:
    program = folder / "bin/java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(java, "_candidates", lambda _: iter(()))
    return monkeypatch


def test_java_named_by_the_environment_is_used_when_21_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = jdk(tmp_path, "99.0.1")
    monkeypatch.setenv("JAVA21", str(named))
    assert find_java("registry", 21) == named.resolve()


def test_java_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = jdk(tmp_path / "a", "17.0.2"), jdk(tmp_path / "b", "21")
    monkeypatch.setattr(java, "_candidates", lambda _: iter((old, tmp_path / "none", new)))
    assert find_java("registry", 21) == new.resolve()
    with pytest.raises(ServerUnavailable, match="needs Java 22 or later"):
        find_java("registry", 22)


def test_the_release_file_beside_java_is_believed_before_java_is_run(tmp_path: Path) -> None:
    program = jdk(tmp_path, "8")
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="25.0.3"\n')
    assert java_version(program) == 25


def test_a_java_that_says_nothing_sensible_has_no_version(tmp_path: Path) -> None:
    assert java_version(jdk(tmp_path, "unknown")) == 0
    assert java_version(tmp_path / "missing/bin/java") == 0


def test_kafka_without_java_is_unavailable(no_java: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ServerUnavailable, match=r"^kafka: needs Java 17 or later$"):
        KafkaServer().start(tmp_path)


def test_kafka_that_was_never_fetched_needs_maven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "_candidates", lambda _: iter((jdk(tmp_path / "jdk", "17"),)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ServerUnavailable, match=r"needs Maven \(mvn\)"):
        KafkaServer().start(tmp_path / "data")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.suffix != ".lock"][1:]


def test_maven_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "mvn"
    program.write_text("#!/bin/sh\necho '[ERROR] Could not resolve it: offline'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(ServerUnavailable, match="Could not resolve it: offline"):
        maven("kafka", ["goal"], tmp_path)


def test_a_fetch_that_fails_leaves_nothing_and_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").write_text("of it")
        raise ServerUnavailable("kafka", "offline")

    with pytest.raises(ServerUnavailable, match="offline"):
        fetch("kafka", "jars", fail)
    assert not list(tmp_path.rglob("half"))
    folder = fetch("kafka", "jars", lambda draft: void((draft / "whole").write_text("all")))
    assert (folder / "whole").read_text() == "all"


def test_what_was_fetched_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[Path] = []
    first = fetch("kafka", "jars", made.append)
    assert fetch("kafka", "jars", made.append) == first
    assert len(made) == 1


def test_a_download_that_takes_too_long_makes_the_server_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def dawdle(_: Path) -> None:
        raise subprocess.TimeoutExpired("mvn", 600)

    with pytest.raises(ServerUnavailable, match="longer than 600 s"):
        fetch("kafka", "jars", dawdle)


def test_a_missing_wheel_is_named_with_how_to_get_it() -> None:
    with pytest.raises(ServerUnavailable, match="no_such_wheel is missing: pip install"):
        wheels.package_folder("valkey", "no_such_wheel")
    with pytest.raises(ServerUnavailable, match="no-such-wheel is missing: pip install"):
        wheels.script("nats", "no-such-wheel", "no-such-program")


def test_postgres_of_the_system_without_timescaledb_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "15/bin"
    programs.mkdir(parents=True)
    (programs / "postgres").write_text("")
    monkeypatch.setattr(postgres, "_SYSTEM_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(postgres, "_has_timescaledb", lambda _: False)
    with pytest.raises(ServerUnavailable, match="with TimescaleDB"):
        postgres.find_installation("system")
    monkeypatch.setattr(postgres, "_has_timescaledb", lambda _: True)
    assert postgres.find_installation("system").programs == programs


def test_a_system_postgres_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "14/bin"
    programs.mkdir(parents=True)
    (programs / "postgres").write_text("")
    monkeypatch.setattr(postgres, "_SYSTEM_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(postgres, "_has_timescaledb", lambda _: True)
    with pytest.raises(ServerUnavailable):
        postgres.find_installation("system")


def test_an_unknown_flavour_of_postgres_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHALETRADER_POSTGRES", "borrowed")
    with pytest.raises(ServerUnavailable, match="must be wheel or system"):
        postgres.chosen_flavour()


def test_a_server_that_is_missing_skips_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUIRE_REAL", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"^kafka is not available: needs Java 17$"):
        skip_or_fail("kafka", "needs Java 17")


def test_a_server_that_is_missing_fails_where_it_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUIRE_REAL", "1")
    with pytest.raises(pytest.fail.Exception, match="kafka is not available: needs Java 17"):
        skip_or_fail("kafka", "needs Java 17")


def void(_: object) -> None:
    """Drop a value, so that a lambda fits where nothing is returned."""
