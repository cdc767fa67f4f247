#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""manuals - the manual pages say what the programs say of themselves.

    manuals.py --bin DIR    the folder of the programs

Every option of --help (of xpgate: of each verb) stands in the page, and every option of the page in --help. Where
mandoc is there it must have nothing to warn about.
"""
import argparse
import re
import shutil
import subprocess
import sys

PAGES = {"xpmanager": "impl/manager/xpmanager.1", "xpconform": "conformance/xpconform.1",
         "xpbench": "bench/xpbench.1", "xpgate": "bench/gate/xpgate.1"}
LONG = re.compile(r"(?<![\w-])--([a-z][\w-]*)")


def said(program, *args):
    run = subprocess.run([program, *args, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return run.stdout


def options_of_help(program):
    """The long options that a line of --help begins with: what its texts mention does not count."""
    texts = [said(program)]
    verbs = re.findall(r"^  ([a-z]+)  +\S", texts[0], re.M) if "VERB" in texts[0] else []
    texts += [said(program, verb) for verb in verbs]
    found = set()
    for text in texts:
        for line in text.splitlines():
            head = re.match(r" {2,8}(?:-\S, +)?--\S.*", line)
            if head:
                found.update(LONG.findall(re.split(r" {2,}(?!-)", head.group().strip())[0]))
    return found


def options_of_page(page):
    """Those of .It lines: each is documented once, as an item."""
    found = set()
    with open(page, encoding="utf-8") as file:
        for line in file:
            if line.startswith(".It "):
                found.update(re.findall(r"Fl -([a-z][\w-]*)", line))
    return found


def check(name, page, folder):
    errors = []
    inside, documented = options_of_help(f"{folder}/{name}"), options_of_page(page)
    if not inside:
        errors.append(f"{name} --help names no option")
    errors += [f"{page}: --{option} is missing" for option in sorted(inside - documented)]
    errors += [f"{page}: {name} has no --{option}" for option in sorted(documented - inside)]
    return errors


def lint(page):
    run = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True, timeout=60,
                         check=False)
    return run.stdout.splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True)
    args = parser.parse_args()
    errors = [error for name, page in PAGES.items() for error in check(name, page, args.bin)]
    pages = [*PAGES.values(), "impl/xpshare.7"]
    if shutil.which("mandoc"):
        errors += [error for page in pages for error in lint(page)]
    print("\n".join(errors) or f"{len(pages)} manual pages are true")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
