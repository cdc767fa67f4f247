# SPDX-License-Identifier: MIT
"""junit_counts FILE - print "passed failed skipped" of the JUnit file that ctest wrote.

Only a test that ran and said so itself (exit status 77, or its skip expression) is skipped. One that
ctest could not start, a missing program say, is "notrun" in the file too, and has failed.
"""
import sys
import xml.etree.ElementTree as tree


def verdict(case):
    if case.get("status") == "run":
        return "passed"
    skip = case.find("skipped")
    if skip is not None and skip.get("message", "").startswith("SKIP_"):
        return "skipped"
    return "failed"


def main(path):
    try:
        cases = tree.parse(path).getroot().iter("testcase")
        count = {"passed": 0, "failed": 0, "skipped": 0}
        for case in cases:
            count[verdict(case)] += 1
    except (OSError, tree.ParseError) as error:
        sys.exit(f"{path}: {error}")
    print(count["passed"], count["failed"], count["skipped"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: junit_counts.py FILE")
    main(sys.argv[1])
