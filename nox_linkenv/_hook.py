"""Registers the linked backend as soon as nox is imported, without a line in the noxfile.

Started by ``nox_linkenv.pth`` in every interpreter that has this package installed, so it imports nothing that is not
loaded already.  ``LINKENV_NOX_HOOK=0`` switches it off; ``import nox_linkenv`` in a noxfile registers, too.  Why there
is no ``.start`` file (PEP 829) stands in docs/decisions/0004-registration.md.
"""

import os
import sys

__all__ = ["install"]

_TRIGGER = "nox._options"  # reads the names of the backends when it is imported


class _Finder:
    """Finds nothing: the import of the trigger passes it by, and that is the moment to register."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == _TRIGGER:
            sys.meta_path.remove(_Finder)
            if "nox_linkenv.plugins.nox" in sys.modules:
                return  # who imports the plugin itself registers by its own call
            try:
                from nox_linkenv.plugins.nox import register

                register()
            except Exception as error:  # noqa: BLE001 - nox must work, whatever has become of it
                sys.stderr.write(
                    f"nox-linkenv does not know this version of nox ({error}); its backend is not there.\n"
                )


def install() -> None:
    """Wait for nox to be imported.  Calling it again does nothing."""
    if os.environ.get("LINKENV_NOX_HOOK") == "0":
        # As if this had never been imported, so that `import nox_linkenv` in a noxfile finds nox loaded, and registers.
        sys.modules.pop("nox_linkenv", None)
    elif _Finder not in sys.meta_path and _TRIGGER not in sys.modules:
        sys.meta_path.insert(0, _Finder)
