# SPDX-License-Identifier: MIT
"""program_test - a program that uses multiprocessing.Manager() needs only the lines that the README shows.

    program_test.py VERSION|all --xpmanager PROGRAM

program.py is run by each interpreter, with each of its start methods, once as it stands and once with its
line `manager = multiprocessing.Manager()` replaced by the README's, word for word. The outputs must be equal,
and no object may be left in the server.
"""
import difflib
import os
import subprocess
import sys
from multiprocessing.managers import SyncManager

import servers

ROOT = os.path.dirname(os.path.dirname(servers.HERE))
REPLACED = "    manager = multiprocessing.Manager()\n"
BEGIN = "# In place of manager = multiprocessing.Manager():"


def readme_lines():
    """(imports, the lines that stand in for the one)."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as page:
        block = [part.split("```")[0] for part in page.read().split("```python\n")[1:] if BEGIN in part]
    if len(block) != 1:
        sys.exit("README.md does not say what stands in place of multiprocessing.Manager()")
    before, after = block[0].split(BEGIN)
    return before.strip(), after.split("\n\n")[0].strip().splitlines()


def write_program(path):
    with open(os.path.join(servers.HERE, "program.py"), encoding="utf-8") as file:
        text = file.read()
    if text.count(REPLACED) != 1:
        sys.exit("program.py has not the line that is to be replaced")
    imports, lines = readme_lines()
    text = text.replace(REPLACED, "".join("    %s\n" % line for line in lines))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("import multiprocessing\nimport sys\n", imports + "\nimport sys\n"))


def run(command, path, method, folder):
    done = subprocess.run([command, "-B", path, method], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=2 * servers.PATIENCE, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    return done.stdout.decode("utf-8", "replace").splitlines() + ["status %d" % done.returncode]


def main(argv):
    failures = runs = 0
    with servers.Ours(argv[3]) as ours:
        path = os.path.join(ours.folder, "program.py")
        write_program(path)
        with open(os.open(os.path.join(ours.folder, "manager.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(servers.KEY + "\n")
        os.symlink(ours.path, os.path.join(ours.folder, "manager.sock"))
        for version, command in servers.wanted(argv[1]):
            for method in ["fork"] if version.startswith("2") else ["fork", "spawn", "forkserver"]:
                theirs = run(command, os.path.join(servers.HERE, "program.py"), method, ours.folder)
                mine = run(command, path, method, ours.folder)
                good = mine == theirs and theirs[-2:] == ["the end", "status 0"]
                print("%-5s %-10s %s" % (version, method, "the same %d lines" % len(mine) if good else "FAILED"))
                if not good:
                    print("\n".join(difflib.unified_diff(theirs, mine, "CPython", "xpmanager", lineterm="")))
                failures += not good
                runs += 1
        look = SyncManager(ours.path, servers.KEY.encode())
        look.connect()
        if look._number_of_objects():
            failures += 1
            print("objects are left:\n%s" % look._debug_info())
        for failure in ours.finish():
            failures += 1
            print(failure)
    print("%d runs, %d failures" % (runs, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
