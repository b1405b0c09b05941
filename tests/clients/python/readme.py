"""The commands of documents, taken from the documents themselves: the README's tour, the chapter on keys."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[3]
TOUR = "## Five minutes with the AWS command line"
PRINTS, FAILS = "  # prints: ", "  # fails: "


def tour() -> str:
    """The part of the README that is one."""
    return (ROOT / "README.md").read_text().split(TOUR)[1].split("\n## ")[0]


def settings() -> str:
    """Its first block, which the rest and other documents need."""
    return tour().split("```sh\n")[1].split("```")[0]


def commands(document: str) -> list[str]:
    """All commands, in order; a command that goes on in further lines is one."""
    blocks = re.findall(r"^```sh\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    found = [""]
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        found[-1] += line
        if is_whole(found[-1]):
            found.append("")
        else:
            found[-1] += "\n"
    return [command for command in found if command.strip()]


def is_whole(command: str) -> bool:
    """Whether all quotes are closed."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def script(document: str, endpoint: str) -> str:
    """A document for bash: what a command is said to print, or to fail with, is checked."""
    lines = ["set -euo pipefail"]
    for command in commands(document):
        command = command.replace("http://127.0.0.1:5670", endpoint)
        shown = command.replace("'", "'\\''")
        lines.append(f"printf '%s\\n' '{shown}' >&2")
        if FAILS in command:
            command, expected = command.split(FAILS)
            lines.append(f"if told=$({command} 2>&1); then echo 'did not fail' >&2; exit 1; fi")
            lines.append(f'grep -q "{expected}" <<< "$told"')
        elif PRINTS in command:
            command, expected = command.split(PRINTS)
            lines.append(f"told=$({command})")
            lines.append(f'[ "$told" = "{expected}" ] || {{ echo "printed: $told" >&2; exit 1; }}')
        else:
            lines.append(command)
    return "\n".join(lines) + "\n"
