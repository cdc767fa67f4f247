# SPDX-License-Identifier: MIT
"""format - C is as clang-format would write it. Mend with: clang-format -i FILE."""
import os
import re
import shutil
import subprocess
import sys

import source


def check(root):
    if not shutil.which("clang-format"):
        print("there is no clang-format")
        sys.exit(77)
    names = source.c_files(root, (".c", ".h", ".cc"))
    # The configuration is looked up from the file's folder upwards, so the files are named in place.
    run = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", *names], cwd=root,
                         text=True, capture_output=True, check=False)
    found = [line for line in run.stderr.splitlines() if re.match(r"[^:]+:\d+:", line)]
    if run.returncode != 0 and not found:
        found = [f"clang-format: {run.stderr.strip()}"]
    return [f.replace("warning: ", "") for f in found], names


if __name__ == "__main__":
    source.main(check, __doc__)
