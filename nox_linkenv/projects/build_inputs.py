"""What of the surroundings a build reads: environment variables, compilers and tools.

Sources: the documentation of setuptools, distutils, setuptools-scm, vcs-versioning, hatchling, hatch-vcs, flit-core,
poetry-core, pdm-backend, versioningit, uv-dynamic-versioning, pbr, Cython, NumPy, CMake, scikit-build-core,
meson-python, maturin, setuptools-rust and rustup;
https://reproducible-builds.org/specs/source-date-epoch/ for SOURCE_DATE_EPOCH; gcc(1) and ld(1).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PREFIXES", "TOOLS", "VARIABLES", "build_inputs", "build_inputs_digest"]

#: Names of variables.
VARIABLES: Final = frozenset(
    {
        # compilers and linkers, as distutils, CMake, Meson and make read them
        "AR", "ARCHFLAGS", "AS", "BLAS", "CARGO", "CC", "CFLAGS", "CPATH", "CPP", "CPPFLAGS", "CXX", "CXXFLAGS",
        "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "DIST_EXTRA_CONFIG", "DYLD_LIBRARY_PATH", "F77", "F90", "FC", "FFLAGS",
        "FORTRANFLAGS", "INCLUDE", "LAPACK", "LD", "LDCXXSHARED", "LDFLAGS", "LDSHARED", "LD_LIBRARY_PATH", "LIB",
        "LIBRARY_PATH",
        "MACOSX_DEPLOYMENT_TARGET", "MAKEFLAGS", "NINJA", "OPT", "PKG_CONFIG", "PKG_CONFIG_PATH",
        "PKG_CONFIG_LIBDIR", "RANLIB", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "RUST_TARGET_PATH", "SDKROOT", "STRIP",
        "_PYTHON_HOST_PLATFORM", "_PYTHON_SYSCONFIGDATA_NAME",
        # extension modules that can be left out
        "FORCE_CYTHON", "NO_CYTHON", "USE_CYTHON", "NO_EXTENSIONS", "PURE_PYTHON",
        # what ends up in names, dates and texts
        "LANG", "LC_ALL", "LC_CTYPE", "OSLO_PACKAGE_VERSION", "SOURCE_DATE_EPOCH", "TZ", "CI", "BUILD_NUMBER",
        "GITHUB_REF", "GITHUB_SHA", "GITHUB_RUN_NUMBER", "HOME",
    }
)  # fmt: skip
#: Beginnings of the names of further variables.
PREFIXES: Final = (
    "CARGO_", "CIBW", "CMAKE_", "CYTHON", "DISTUTILS_", "DUNAMAI_", "FLIT_", "GIT_", "HATCH_", "MATURIN_", "MESON",
    "NPY_", "PBR_", "PDM_BUILD_", "POETRY_", "PYO3_", "PYTHON", "RUSTUP_", "SCIKIT_BUILD_", "SETUPTOOLS_", "SKBUILD_",
    "UV_DYNAMIC_VERSIONING_", "VCS_VERSIONING_", "VERSIONEER_", "VERSIONINGIT_",
)  # fmt: skip
#: Variables among these that change nothing of what is built; those of isolation are set by whoever builds.
_HARMLESS: Final = frozenset(
    {
        "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONINSPECT",
        "PYTHONNOUSERSITE", "PYTHONPATH", "PYTHONPYCACHEPREFIX", "PYTHONSTARTUP", "PYTHONUNBUFFERED",
        "PYTHON_BASIC_REPL", "PYTHON_COLORS", "PYTHON_HISTORY",
    }
)  # fmt: skip
#: Programs that builds run; which one is found on PATH counts.
TOOLS: Final = (
    "cc", "gcc", "clang", "c++", "g++", "clang++", "gfortran", "ld", "ar", "make", "ninja", "cmake", "meson",
    "pkg-config", "rustc", "cargo", "swig", "git", "hg",
)  # fmt: skip


def build_inputs(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables that builds read, and which of the programs that they run would be found."""
    found = [
        (name, value)
        for name, value in environ.items()
        if name in VARIABLES or (name.startswith(PREFIXES) and name not in _HARMLESS)
    ]
    for tool in TOOLS:
        path = shutil.which(tool, path=environ.get("PATH", ""))
        if path is not None:
            status = os.stat(path)
            found.append((f"{tool} on PATH", f"{os.path.realpath(path)} {status.st_size} {status.st_mtime_ns}"))
    return sorted(found)


def build_inputs_digest(environ: Mapping[str, str]) -> str:
    """Return the hexadecimal SHA-256 of the :func:`build_inputs`."""
    return hashlib.sha256(json.dumps(build_inputs(environ)).encode("utf-8", "surrogatepass")).hexdigest()
