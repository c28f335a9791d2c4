"""The noxfile of ``test_behaviours``: each session notes what it saw, and both backends must have seen the same.

Copied into a project with ``wheels/`` (tiny 1.0 and 2.0, needy which requires tiny<2); PIP_NO_INDEX and PIP_FIND_LINKS
are set, so that no session needs the network. BACKEND names the backend.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nox
from nox.command import CommandFailed

BACKEND = os.environ["BACKEND"]
nox.options.default_venv_backend = BACKEND
#: Variables that the two runs have to be told apart, and where virtualenv keeps copies of pip.
VARYING = {"BACKEND", "VIRTUALENV_OVERRIDE_APP_DATA"}


def note(session: nox.Session, **facts: Any) -> None:
    """Write down what the session saw."""
    folder = Path("facts")
    folder.mkdir(exist_ok=True)
    (folder / f"{session.name}.json").write_text(json.dumps(facts, sort_keys=True, default=str))


def listed(session: nox.Session) -> list[str]:
    """Return what is installed, without the half second that pip takes to tell."""
    site = Path(session.virtualenv.location).glob("lib/python*/site-packages/*-info")
    return sorted(path.name for path in site)


def failure(session: nox.Session, *args: str, **keywords: Any) -> str:
    """Install and return the reason why it failed, as a session that goes on sees it."""
    try:
        session.install(*args, **keywords)
    except CommandFailed as error:
        return f"CommandFailed: {error.reason}"
    return "no failure"


@nox.session
def plain(session: nox.Session) -> None:
    session.install("tiny")
    code = "import tiny, sys; print(tiny.__file__, sys.prefix, sys.base_prefix, sys.version)"
    told = session.run("python", "-m", "pip", "list", "-v", silent=True)
    note(session, seen=session.run("python", "-c", code, silent=True), told=_without_installer(str(told)))


def _without_installer(told: str) -> list[str]:
    return [line.rpartition(" ")[0].strip() for line in told.splitlines()[2:]]


@nox.session
def returned(session: nox.Session) -> None:
    session.install("tiny")
    version = session.run("python", "-m", "pip", "--version", silent=True)
    run = session.run("python", "-c", "pass")
    always = session.run_always("python", "-m", "pip", "install", "needy", silent=True)
    note(session, version=version, run=run, satisfied="Requirement already satisfied: tiny" in str(always))


@nox.session
def unknown_requirement(session: nox.Session) -> None:
    session.install("absent-distribution")


@nox.session
def conflicting_pins(session: nox.Session) -> None:
    session.install("tiny==1.0", "tiny==2.0")


@nox.session
def conflicting_requirements(session: nox.Session) -> None:
    session.install("needy", "tiny==2.0")


@nox.session
def missing_requirements_file(session: nox.Session) -> None:
    session.install("-r", "absent.txt")


@nox.session
def missing_constraints_file(session: nox.Session) -> None:
    session.install("-c", "absent.txt", "tiny")


@nox.session
def missing_wheel(session: nox.Session) -> None:
    session.install("wheels/absent-1.0-py3-none-any.whl")


@nox.session
def missing_project(session: nox.Session) -> None:
    session.install("-e", "absent-directory")


@nox.session
def not_a_project(session: nox.Session) -> None:
    session.install("./wheels")


@nox.session
def unknown_option(session: nox.Session) -> None:
    session.install("--no-such-option", "tiny")


@nox.session
def malformed_requirement(session: nox.Session) -> None:
    session.install("tiny = 1")


@nox.session
def wrong_hash(session: nox.Session) -> None:
    Path("wrong.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    session.install("--require-hashes", "-r", "wrong.txt")


@nox.session
def survived_failures(session: nox.Session) -> None:
    reasons = [failure(session, "absent-distribution"), failure(session, "tiny==1.0", "tiny==2.0")]
    before = listed(session)
    session.install("tiny==1.0")
    reasons.append(failure(session, "tiny==3.0"))
    note(session, reasons=reasons, before=before, after=listed(session))


@nox.session
def env_keyword(session: nox.Session) -> None:
    Path("pin.txt").write_text("tiny<2\n")
    session.install("tiny", env={"PIP_CONSTRAINT": "pin.txt"})
    pinned = listed(session)
    reason = failure(session, "needy", env={"PIP_FIND_LINKS": os.devnull})
    session.install("-U", "tiny", env={"PIP_CONSTRAINT": ""})
    note(session, pinned=pinned, reason=reason, after=listed(session))


@nox.session
def env_removed(session: nox.Session) -> None:
    session.env["PIP_CONSTRAINT"] = "absent.txt"
    session.install("tiny", env={"PIP_CONSTRAINT": None})
    note(session, listed=listed(session))


@nox.session
def session_env(session: nox.Session) -> None:
    Path("pin.txt").write_text("tiny<2\n")
    session.env["PIP_CONSTRAINT"] = "pin.txt"
    session.install("tiny")
    note(session, listed=listed(session))


@nox.session
def without_outer_env(session: nox.Session) -> None:
    os.environ["PIP_CONSTRAINT"] = "absent.txt"
    try:
        inherited = failure(session, "tiny")
        session.install("--no-index", "--find-links=wheels", "tiny", include_outer_env=False)
    finally:
        del os.environ["PIP_CONSTRAINT"]
    seen = session.run("python", "-c", "import os; print(sorted(os.environ))", include_outer_env=False, silent=True)
    note(session, inherited=inherited, listed=listed(session), seen=seen)


@nox.session
def stdout_keyword(session: nox.Session) -> None:
    with Path("stdout.txt").open("w") as stream:
        session.install("tiny", silent=False, stdout=stream)
    lines = Path("stdout.txt").read_text().splitlines()
    note(session, last=lines[-1], listed=listed(session))


@nox.session
def stderr_keyword(session: nox.Session) -> None:
    with Path("stderr.txt").open("w") as stream:
        reason = failure(session, "absent-distribution", silent=False, stdout=subprocess.DEVNULL, stderr=stream)
    note(session, reason=reason, errors=Path("stderr.txt").read_text())


@nox.session
def success_codes(session: nox.Session) -> None:
    accepted = failure(session, "absent-distribution", success_codes=[0, 1])
    refused = failure(session, "tiny", success_codes=[7])
    note(session, accepted=accepted, refused=refused, listed=listed(session))


@nox.session
def unlogged(session: nox.Session) -> None:
    session.install("tiny", log=False)
    note(session, listed=listed(session))


@nox.session
def loud(session: nox.Session) -> None:
    session.install("needy", silent=False)


@nox.session
def no_arguments(session: nox.Session) -> None:
    session.install()


@nox.session
def pip_by_itself(session: nox.Session) -> None:
    session.run("pip", "install", "tiny==1.0")
    first = listed(session)
    session.run("python", "-m", "pip", "install", "-U", "tiny")
    second = listed(session)
    said = str(session.run("pip", "install", "needy", silent=True))
    session.run("pip", "install", "-q", "needy")
    note(session, first=first, second=second, last=listed(session), said=said.splitlines()[-1])


@nox.session
def pip_by_itself_fails(session: nox.Session) -> None:
    session.run("pip", "install", "tiny==3.0")


@nox.session
def external_programs(session: nox.Session) -> None:
    session.install("tiny")
    session.run("true")
    session.run("true", external=True)
    session.run("pip", "--version", external="error", silent=True)
    session.run("true", external="error")


@nox.session
def pip_commands(session: nox.Session) -> None:
    session.run("pip", "install", "tiny==1.0", silent=True)
    first = listed(session)
    session.run("python", "-m", "pip", "install", "-U", "tiny", silent=True)
    second = listed(session)
    session.install("needy")
    third = listed(session)
    session.run("pip", "uninstall", "-y", "tiny", "needy", silent=True)
    session.run("python", "-m", "pip", "check", silent=True)
    note(session, first=first, second=second, third=third, last=listed(session))


@nox.session
def environment_object(session: nox.Session) -> None:
    session.install("tiny")
    venv: Any = session.virtualenv
    note(
        session,
        bin=session.bin,
        bin_paths=session.bin_paths,
        location=venv.location,
        name=venv.location_name,
        backend=(session.venv_backend if hasattr(session, "venv_backend") else venv.venv_backend) == BACKEND,
        known=isinstance(venv, nox.virtualenv.VirtualEnv),
        reused=venv._reused,
        reuse_existing=venv.reuse_existing,
        interpreter=venv.interpreter,
        resolved=venv._resolved_interpreter,
        sandboxed=venv.is_sandboxed,
        globals=list(venv.allowed_globals),
        params=list(venv.venv_params),
        env={name: value for name, value in session.env.items() if name not in VARYING},
        python=session.python,
    )


@nox.session
def variables(session: nox.Session) -> None:
    stripped = ("PIP_RESPECT_VIRTUALENV", "PIP_REQUIRE_VIRTUALENV", "__PYVENV_LAUNCHER__", "UV_SYSTEM_PYTHON")
    os.environ.update(dict.fromkeys((*stripped, "CONDA_PREFIX"), "1"))
    try:
        session.install("tiny")
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        seen = json.loads(str(session.run("python", "-c", code, silent=True)))
    finally:
        for name in (*stripped, "CONDA_PREFIX"):
            del os.environ[name]
    note(session, seen={name: value for name, value in seen.items() if name not in VARYING})


@nox.session
def temporary(session: nox.Session) -> None:
    place = session.create_tmp()
    session.install("tiny")
    code = "import tempfile; print(tempfile.gettempdir())"
    seen = session.run("python", "-c", code, silent=True)
    note(
        session,
        place=place,
        left=sorted(path.name for path in Path(place).iterdir()),
        again=session.create_tmp(),
        seen=seen,
    )


@nox.session
def marker_files(session: nox.Session) -> None:
    session.install("tiny")
    root = Path(session.virtualenv.location)
    names = [folder / name for folder in (root, root.parent) for name in (".gitignore", "CACHEDIR.TAG")]
    note(session, files={str(path): path.read_text() if path.exists() else None for path in names})


@nox.session
def other_directory(session: nox.Session) -> None:
    Path("below").mkdir(exist_ok=True)
    Path("below/requirements.txt").write_text("tiny\n")
    session.chdir("below")
    session.install("-r", "requirements.txt")
    seen = listed(session)
    session.chdir("..")
    note(session, listed=seen)


@nox.session
def function_run(session: nox.Session) -> None:
    calls: list[str] = []
    session.run(calls.append, "run")  # type: ignore[call-overload]
    session.run_always(calls.append, "always")  # type: ignore[arg-type]
    note(session, calls=calls)


@nox.session
def inner_environments(session: nox.Session) -> None:
    session.install("tiny")
    inner = Path(session.create_tmp()) / "inner"
    session.run("python", "-m", "venv", str(inner), silent=True)
    code = "import sys, importlib.util as u; print(sys.prefix, u.find_spec('pip') is None, u.find_spec('tiny') is None)"
    note(session, seen=session.run(str(inner / "bin" / "python"), "-c", code, silent=True, external=True))


@nox.session(python=False)
def no_environment(session: nox.Session) -> None:
    session.run("true", external=True)
    session.install("tiny")


@nox.session(python=sys.executable)
def python_by_path(session: nox.Session) -> None:
    session.install("tiny")
    code = "import sys; print(sys.prefix, sys.base_prefix)"
    note(session, seen=session.run("python", "-c", code, silent=True))


@nox.session(python="3.99")
def missing_interpreter(session: nox.Session) -> None:
    session.install("tiny")


@nox.session(python="/absent/python")
def missing_interpreter_path(session: nox.Session) -> None:
    session.install("tiny")


def made(session: nox.Session) -> dict[str, Any]:
    """Return what a virtualenv's options can have changed."""
    root = Path(session.virtualenv.location)
    site = next(root.glob("lib/python*/site-packages"))
    config = [line for line in (root / "pyvenv.cfg").read_text().splitlines() if not line.startswith("command ")]
    prompts = [line for line in (root / "bin" / "activate").read_text().splitlines() if "PROMPT" in line.upper()]
    names = sorted(path.name for path in site.iterdir())
    return {
        "config": config,
        "prompts": prompts,
        "site": [name for name in names if name != "__pycache__"],
        "copied": not (root / "bin" / "python").is_symlink(),
        "bin": sorted(path.name for path in (root / "bin").iterdir()),
    }


@nox.session(venv_params=["--system-site-packages"])
def params_system(session: nox.Session) -> None:
    session.install("tiny")
    code = "import sys; print([p for p in sys.path if p.endswith('site-packages')])"
    note(session, made=made(session), seen=session.run("python", "-c", code, silent=True))


@nox.session(venv_params=["--no-seed"])
def params_no_seed(session: nox.Session) -> None:
    note(session, made=made(session), reason=failure(session, "tiny"))


@nox.session(venv_params=["--without-pip"])
def params_without_pip(session: nox.Session) -> None:
    note(session, made=made(session), reason=failure(session, "tiny"))


@nox.session(venv_params=["--prompt", "prompted", "--always-copy"])
def params_prompt_copy(session: nox.Session) -> None:
    session.install("tiny")
    note(session, made=made(session), listed=listed(session))


@nox.session(venv_params=["--pip", "bundle", "--setuptools", "bundle", "--activators", "bash"])
def params_seeds(session: nox.Session) -> None:
    session.install("tiny")
    note(session, made=made(session), listed=listed(session))


@nox.session(venv_params=["--no-such-option"])
def params_wrong(session: nox.Session) -> None:
    session.install("tiny")
