"""The commands of the README's tour, taken from the README itself."""

import re
import shlex
from pathlib import Path

README = Path(__file__).parents[3] / "README.md"
SECTION = "## Five minutes with the AWS command line"
PRINTS, FAILS = "  # prints: ", "  # fails: "


def commands() -> list[str]:
    """All commands of the tour, in order; a command that goes on in further lines is one."""
    tour = README.read_text().split(SECTION)[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", tour, re.MULTILINE | re.DOTALL)
    found = [""]
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        found[-1] += line
        if is_whole(found[-1]):
            found.append("")
    return [command for command in found if command.strip()]


def is_whole(command: str) -> bool:
    """Whether all quotes are closed."""
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True


def script(endpoint: str) -> str:
    """The tour for bash: what a command is said to print, or to fail with, is checked."""
    lines = ["set -euo pipefail"]
    for command in commands():
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
