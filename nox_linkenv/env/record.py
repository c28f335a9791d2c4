"""Lines of RECORD, as pip writes them (recording installed projects, "The RECORD file")."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["in_order", "record_digest", "record_line", "record_row"]


def record_row(path: str, content: bytes) -> str:
    """Return a line of RECORD, without its end (recording installed projects, "The RECORD file")."""
    return record_line((path, record_digest(content), str(len(content))))


def record_digest(content: bytes) -> str:
    """Return the second field of a row: the digest of a file with this *content*."""
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def in_order(rows: Iterable[str]) -> list[str]:
    """Return the lines of RECORD in pip's order: by their paths, without the quotation marks that some stand in."""
    lines = sorted(rows)
    if lines and lines[0] <= '"\uffff':  # quotation marks come before what paths begin with
        lines.sort(key=lambda line: next(csv.reader([line])) if line.startswith('"') else line.split(","))
    return lines


def record_line(row: tuple[str, str, str]) -> str:
    """Return the line, without its end, of a path, a digest and a size."""
    line = ",".join(row)
    if line.count(",") == 2 and not any(character in line for character in '"\n\r'):
        return line
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(row)
    return stream.getvalue()
