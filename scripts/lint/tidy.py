# SPDX-License-Identifier: MIT
"""tidy - clang-tidy, with the checks of .clang-tidy, over every file that the build compiles."""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

import source


def look_at(file, build):
    # The commands may be another compiler's: flags that clang lacks are no finding.
    run = subprocess.run(
        ["clang-tidy", "-p", build, "--quiet", "--warnings-as-errors=*",
         "--extra-arg=-Wno-unknown-warning-option", file],
        text=True, capture_output=True, check=False)
    found = [x for x in run.stdout.splitlines() if re.search(r":\d+:\d+: (error|warning):", x)]
    if run.returncode != 0 and not found:
        found = [f"{file}:1: clang-tidy: {run.stderr.strip()[-500:]}"]
    return found


def check(root, build):
    if not shutil.which("clang-tidy"):
        print("there is no clang-tidy")
        sys.exit(77)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    rooms = tuple(os.path.realpath(os.path.join(root, room)) + os.sep for room in source.ROOMS)
    names = sorted({c["file"] for c in commands if os.path.realpath(c["file"]).startswith(rooms)})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {x for result in pool.map(lambda n: look_at(n, build), names) for x in result}
    top = os.path.realpath(root) + os.sep
    return sorted(f.replace(top, "") for f in found), names


if __name__ == "__main__":
    source.main(check, __doc__, ("--build", "build tree with compile_commands.json"))
