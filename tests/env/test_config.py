"""Settings: who wins over whom, and errors that name the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from nox_linkenv.config import Settings, load_settings, misspelt_variables
from nox_linkenv.errors import SettingsError
from nox_linkenv.linking import LinkMode


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "nox-linkenv").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    return tmp_path / "home"


def load(home: Path, environ: dict[str, str] | None = None, explicit: dict[str, object] | None = None) -> Settings:
    variables = {"XDG_CONFIG_HOME": str(home), **(environ or {})}
    return load_settings(variables, directory=str(home.parent / "project"), explicit=explicit)


def user(home: Path, text: str) -> Path:
    path = home / "nox-linkenv" / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def project(home: Path, text: str) -> Path:
    path = home.parent / "project" / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults(home: Path) -> None:
    assert load(home) == Settings()
    assert load_settings({"XDG_CONFIG_HOME": str(home)}) == Settings()
    settings = Settings()
    assert (settings.link_mode, settings.resolution_age, settings.offline) == (LinkMode.AUTO, 600, False)


def test_precedence(home: Path) -> None:
    ages = []
    explicit: dict[str, object] = {}
    environ: dict[str, str] = {}
    ages.append(load(home, environ, explicit).resolution_age)
    user(home, "resolution-age = 1\nverify = true\n")
    ages.append(load(home, environ, explicit).resolution_age)
    project(home, "[tool.linkenv]\nresolution_age = 2.5\n")
    ages.append(load(home, environ, explicit).resolution_age)
    environ["LINKENV_RESOLUTION_AGE"] = "3"
    ages.append(load(home, environ, explicit).resolution_age)
    explicit["resolution_age"] = 4
    settings = load(home, environ, explicit)
    ages.append(settings.resolution_age)
    assert ages == [600, 1, 2.5, 3, 4]
    assert settings.verify  # each setting for itself
    environ["LINKENV_VERIFY"] = "off"
    assert not load(home, environ, explicit).verify


def test_empty_variable_sets_nothing(home: Path) -> None:
    project(home, "[tool.linkenv]\noffline = true\n")
    assert load(home, {"LINKENV_OFFLINE": "", "LINKENV_STORE": ""}).offline


@pytest.mark.parametrize("text", ["", "[tool.other]\nlinkenv = 1\n", "[tool]\n", "[project]\nname = 'linkenv'\n"])
def test_project_that_sets_nothing(text: str, home: Path) -> None:
    project(home, text)
    assert load(home) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("LINKENV_LINK_MODE", "copy", Settings(link_mode=LinkMode.COPY)),
        ("LINKENV_OFFLINE", "YES", Settings(offline=True)),
        ("LINKENV_BYTECODE", "0", Settings(bytecode=False)),
        ("LINKENV_STORE", "~/x", Settings(store="~/x")),
        ("LINKENV_RESOLUTION_AGE", "0", Settings(resolution_age=0)),
    ],
)
def test_variables(variable: str, value: str, expected: Settings, home: Path) -> None:
    assert load(home, {variable: value}) == expected


def test_explicit_values(home: Path, tmp_path: Path) -> None:
    assert load(home, explicit={"store": tmp_path, "link_mode": LinkMode.COPY, "offline": True}) == Settings(
        store=str(tmp_path), link_mode=LinkMode.COPY, offline=True
    )


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("LINKENV_LINK_MODE", "clown", "auto or clone or hardlink or symlink or copy"),
        ("LINKENV_OFFLINE", "maybe", "true or false"),
        ("LINKENV_RESOLUTION_AGE", "soon", "number of seconds"),
        ("LINKENV_RESOLUTION_AGE", "-1", "not negative"),
        ("LINKENV_RESOLUTION_AGE", "nan", "number of seconds"),
    ],
)
def test_wrong_variable(variable: str, value: str, kind: str, home: Path) -> None:
    with pytest.raises(SettingsError, match=kind) as caught:
        load(home, {variable: value})
    assert variable in str(caught.value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "link-mode = 'clown'",
        "offline = 'maybe'",
        "offline = 2",
        "resolution-age = 'soon'",
        "unknown = 1",
        "offline = [1]",
    ],
)
def test_wrong_value_in_a_file(line: str, home: Path) -> None:
    path = user(home, f"{line}\n")
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert str(path) in str(caught.value)
    path.unlink()
    path = project(home, f"[tool.linkenv]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("value", ["3", "[1]", "{a = 1}", "true"])
def test_store_of_the_wrong_kind(value: str, home: Path) -> None:
    path = project(home, f"[tool.linkenv]\nstore = {value}\n")
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["tool = 3\n# linkenv", "[tool]\nlinkenv = 'x'\n", "[[tool.linkenv]]\n"])
def test_table_that_is_none(text: str, home: Path) -> None:
    path = project(home, text)
    with pytest.raises(SettingsError) as caught:
        load(home)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"linkenv = \n", b"# linkenv \xff\n"])
def test_file_that_is_not_toml(content: bytes, home: Path) -> None:
    for path in (user(home, ""), project(home, "")):
        path.write_bytes(content)
        with pytest.raises(SettingsError, match="not TOML") as caught:
            load(home)
        assert caught.value.path == path
        path.unlink()


def test_unknown_explicit_setting(home: Path) -> None:
    with pytest.raises(SettingsError, match="stroe"):
        load(home, explicit={"stroe": "/x"})


@pytest.mark.parametrize(
    ("variables", "expected"),
    [({}, True), ({"CI": "true"}, False), ({"CI": "0"}, True), ({"CI": "1", "LINKENV_SPARES": "1"}, True)],
)
def test_nothing_is_made_ahead_where_the_machine_will_be_gone(
    variables: dict[str, str], expected: bool, home: Path
) -> None:
    assert load(home, variables).spares is expected


def test_unknown_names_are_told_with_the_nearest(home: Path) -> None:
    with pytest.raises(SettingsError, match="Unknown setting 'link-mod'; link_mode may be meant"):
        load(home, explicit={"link-mod": "copy"})
    environ = {"LINKENV_STROE": "/x", "LINKENV_STORE": "/x", "LINKENV_NOX_HOOK": "0", "LINKENV_TRACE": "x", "OTHER": ""}
    assert misspelt_variables(environ) == ["The variable LINKENV_STROE sets nothing; LINKENV_STORE may be meant."]
    assert misspelt_variables({"LINKENV_QQQQQQ": ""}) == ["The variable LINKENV_QQQQQQ sets nothing."]


def test_store_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    assert Settings(store="~/s").store_root == str(tmp_path / "s")
    assert Settings(store="s").store_root == str(tmp_path / "s")
    assert Path(Settings().store_root).name == "nox-linkenv"
