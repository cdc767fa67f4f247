# SPDX-License-Identifier: MIT
"""readme_test - the README's programs, compiled and run word for word.

Every C block is a whole program that exits with 0; the shell block that starts xpmanager is run as it
stands, in a folder where build/release is this build, and the Python block is run against it. A program that
says in a comment what it prints ("/* 42 */", "# 400") must print that.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 60


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def promised(block):
    return re.findall(r"print.*?(?:/\*|#) (\d+)(?: \*/)?$", block, re.M)


def check(name, run, block):
    want = promised(block)
    if run.returncode != 0:
        sys.exit(f"{name}: exits {run.returncode}\n{run.stdout}{run.stderr}")
    if not want or run.stdout.split() != want:
        sys.exit(f"{name}: prints {run.stdout.split()}, the README says {want}")
    print(f"{name}: ok, prints {run.stdout.strip()}")


def c_programs(text, args, work):
    programs = blocks(text, "c")
    if len(programs) != 3:
        sys.exit(f"the README has {len(programs)} C programs, one for each mode are three")
    for number, block in enumerate(programs):
        name = os.path.join(work, f"example{number}")
        with open(name + ".c", "w", encoding="utf-8") as file:
            file.write(block)
        subprocess.run([*args.cc.split(), "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-I", args.include,
                        name + ".c", args.library, *args.libs.split(), "-pthread", "-o", name],
                       check=True)
        run = subprocess.run([name], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        check(f"C program {number + 1}", run, block)


def python_client(text, args, work):
    shell = [block for block in blocks(text, "sh") if "xpmanager" in block]
    python = blocks(text, "python")
    if len(shell) != 1 or len(python) != 1:
        sys.exit("the README starts xpmanager in one shell block and uses it in one Python block")
    os.makedirs(os.path.join(work, "build"))
    os.symlink(args.build, os.path.join(work, "build/release"))
    with open(os.path.join(work, "client.py"), "w", encoding="utf-8") as file:
        file.write(python[0])
    # A group of its own, so that the manager ends with the test whatever happens.
    manager = subprocess.Popen(["bash", "-c", shell[0] + "wait"], cwd=work, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(os.path.join(work, "manager.sock")):
            if manager.poll() is not None or time.monotonic() > deadline:
                sys.exit("xpmanager does not listen")
            time.sleep(0.01)
        for interpreter in args.pythons:
            run = subprocess.run([interpreter, "client.py"], cwd=work, capture_output=True, text=True,
                                 timeout=PATIENCE_S, check=False)
            check(f"Python client ({interpreter})", run, python[0])
    finally:
        os.killpg(manager.pid, signal.SIGTERM)
        manager.wait()
        wait_for_group(manager.pid)


def wait_for_group(group):
    """The shell ends at once, and the manager when it has taken its leave of everybody."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    os.killpg(group, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="the build tree")
    parser.add_argument("--include", required=True, help="folder that holds xpshare/")
    parser.add_argument("--library", required=True, help="libxpshare.a")
    parser.add_argument("--libs", default="-lcrypto", help="what it needs")
    parser.add_argument("--cc", default="cc")
    args = parser.parse_args()
    args.pythons = [sys.executable] + [p for p in re.split("[: ]+", os.environ.get("XP_PYTHONS", ""))
                                       if p and "/2." not in p and "python2" not in p]
    with open("README.md", encoding="utf-8") as file:
        text = file.read()
    work = tempfile.mkdtemp(prefix="xpshare-readme-")
    try:
        c_programs(text, args, work)
        python_client(text, args, work)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
