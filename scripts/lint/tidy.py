# SPDX-License-Identifier: MIT
"""tidy - clang-tidy over every file that the build compiles.

With the checks of .clang-tidy; with --checks analyzer clang's static analyzer instead, which takes
about sixty times as long.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

import source


# Left out: what follows a value through an output parameter and loses it in another file, which is
# the house style (ret_ parameters), and what judges layout and names.
ANALYZER = ",".join((
    "-*", "clang-analyzer-core.*", "clang-analyzer-unix.*", "clang-analyzer-deadcode.*",
    "clang-analyzer-security.*",
    "-clang-analyzer-core.UndefinedBinaryOperatorResult", "-clang-analyzer-core.CallAndMessage",
    "-clang-analyzer-core.uninitialized.*",
    "-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling"))


def look_at(file, build, checks):
    # The commands may be another compiler's: flags that clang lacks are no finding.
    run = subprocess.run(
        ["clang-tidy", "-p", build, "--quiet", "--warnings-as-errors=*",
         *([f"--checks={ANALYZER}"] if checks == "analyzer" else []),
         "--extra-arg=-Wno-unknown-warning-option", file],
        text=True, capture_output=True, check=False)
    found = [x for x in run.stdout.splitlines() if re.search(r":\d+:\d+: (error|warning):", x)]
    if run.returncode != 0 and not found:
        found = [f"{file}:1: clang-tidy: {run.stderr.strip()[-500:]}"]
    return found


def check(root, build, checks):
    if not shutil.which("clang-tidy"):
        print("there is no clang-tidy")
        sys.exit(77)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    rooms = tuple(os.path.realpath(os.path.join(root, room)) + os.sep for room in source.ROOMS)
    names = sorted({c["file"] for c in commands if os.path.realpath(c["file"]).startswith(rooms)})
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {x for result in pool.map(lambda n: look_at(n, build, checks), names) for x in result}
    top = os.path.realpath(root) + os.sep
    return sorted(f.replace(top, "") for f in found), names


if __name__ == "__main__":
    source.main(check, __doc__, ("--build", "build tree with compile_commands.json"),
                ("--checks", "config or analyzer"))
