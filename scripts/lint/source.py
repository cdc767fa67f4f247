# SPDX-License-Identifier: MIT
"""source - the source files of the tree, and C without its comments and strings."""
import argparse
import os
import re
import subprocess
import sys

ROOMS = ("impl", "conformance", "bench", "examples")
C_SUFFIXES = (".c", ".h", ".cc", ".def")


def listing(root):
    """All files that belong to the tree at root, relative to it: what git tracks or would track."""
    try:
        answer = subprocess.run(
            ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout
        names = [name for name in answer.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive, not a checkout
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in (".git", "build")]
            names += [os.path.relpath(os.path.join(folder, f), root) for f in files]
    return sorted({n for n in names if os.path.isfile(os.path.join(root, n))})


def c_files(root, suffixes=C_SUFFIXES):
    return [n for n in listing(root) if n.endswith(suffixes) and n.split("/")[0] in ROOMS]


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8") as file:
        return file.read()


TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def code_only(text):
    """C text with comments and the insides of literals blanked; lines stay where they are.

    The name of an #include stays, since rules look at it.
    """
    def blank(match):
        token = match.group(0)
        if token[0] == '"':
            line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
            return token if re.match(r"\s*#\s*include\s*$", line) else '""'
        if token[0] == "'":
            return "' '"
        return re.sub(r"[^\n]", " ", token)

    return TOKEN.sub(blank, text)


def report(findings, subject):
    """Print the findings and return the exit status. A lint that looked at nothing has failed."""
    for finding in findings:
        print(finding)
    if not subject:
        print("nothing to look at: wrong --root?")
        return 1
    print(f"{len(subject)} looked at, {len(findings)} found")
    return 1 if findings else 0


def arguments(description, *more):
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--root", default=os.path.join(os.path.dirname(__file__), "..", ".."),
                        help="top of the tree to look at (default: this one)")
    for name, text in more:
        parser.add_argument(name, required=True, help=text)
    return parser.parse_args()


def main(check, description, *more):
    """Run check(root, ...) as a program."""
    options = vars(arguments(description, *more))
    sys.exit(report(*check(**options)))
