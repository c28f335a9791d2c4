"""What builds of this process have left in projects, so that one made beside it stands for the tree without it, too.

Of a matrix in a fresh clone the second interpreter's build finds what the first one's has left.  In the next clone the
first one is not made again and leaves nothing: the second one's is asked for by the tree as it was checked out.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nox_linkenv.projects.fingerprint import Tree

__all__ = ["LEAVINGS", "Leavings", "is_product"]

#: Native modules that are built in place: an editable build is not made without them, and others may take them along.
_NATIVE: Final = re.compile(r".*\.(so|pyd|dylib)")
#: What builds themselves leave in a tree, apart from what they take from it.
_PRODUCTS: Final = re.compile(rf"(build|\.pdm-build)(/.*)?|(.*/)?[^/]+\.egg-info(/.*)?|{_NATIVE.pattern}")
#: So many trees are known at a time.
_KEPT: Final = 32


def is_product(path: str) -> bool:
    """Return whether builds leave something at *path*, relative to their project, which they make anew each time."""
    return _PRODUCTS.fullmatch(path) is not None


class Leavings:
    """Trees with what builds have left in them, and the same without it."""

    def __init__(self) -> None:
        self._bare: OrderedDict[str, Tree] = OrderedDict()

    def left(self, before: Tree, after: Tree) -> None:
        """Note that a build has made the tree *after* of the one *before*, if nothing that stood there has changed."""
        bare = self.without(before) or before
        changed = bare.entries.items() - after.entries.items()
        if not all(is_product(after.path_of(name)) for name, _ in changed):
            return
        made = after.entries.keys() - bare.entries.keys()
        new = {name for name in made if is_product(after.path_of(name))}
        if not new or any(_NATIVE.fullmatch(name) for name in new):
            return
        kept = {name: entry for name, entry in after.entries.items() if name not in new}
        self._bare[after.digest] = replace(after, entries=kept)
        while len(self._bare) > _KEPT:
            self._bare.popitem(last=False)

    def without(self, tree: Tree) -> Tree | None:
        """Return *tree* without what builds of this process have left in it; ``None`` where that is nothing."""
        return self._bare.get(tree.digest)


#: Those of this process.
LEAVINGS: Final = Leavings()
