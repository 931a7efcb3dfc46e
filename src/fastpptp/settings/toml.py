"""`fastpptp config export | import | check`: the whole Configuration tree as TOML."""

from __future__ import annotations

import tomli_w

from fastpptp.bootstrap import parse_toml
from fastpptp.settings.check import check
from fastpptp.settings.reading import read_tree
from fastpptp.settings.tree import EMPTY, Configuration
from fastpptp.settings.writing import write_tree

HEADER = "# fastpptp configuration. It holds passwords in the clear: keep it safe.\n\n"


def loads(text: str, source: str = "configuration", before: Configuration = EMPTY) -> Configuration:
    """The tree that `text` tells, taken whole or refused whole.

    `before` is what it is to replace: passwords that stand there already are not judged anew.
    Raises ConfigurationError: a syntax error with line and column, else every wrong value with
    its key path and every rule that is broken.
    """
    tree = parsed(text, source)
    check(tree, before)
    return tree


def parsed(text: str, source: str = "configuration") -> Configuration:
    """As loads(), but whether the parts fit together is not asked."""
    return read_tree(parse_toml(text, source))


def dumps(tree: Configuration) -> str:
    """The tree as TOML; loads() reads the same tree back."""
    return HEADER + tomli_w.dumps(write_tree(tree))
