# SPDX-License-Identifier: MIT
"""rules - house rules that a line of text is enough to check.

Each rule is a row: where it applies, what it looks for, and what to do instead.
"""
import re

import source

C = r"\.(c|h|cc)$"
LIBRARY = r"^impl/(?!.*(main|_test)\.c$).*\.(c|h)$"
CALL = r"(?<![\w.>])(?:%s)\s*\("

# (files, but not these files, pattern in code without comments, remedy)
CODE_RULES = [
    (C, None, CALL % "sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep",
     "wait for the event itself, with a deadline"),
    (C, None, CALL % "gets|strcpy|strcat|stpcpy|sprintf|vsprintf|strncpy|strtok|alloca",
     "use the bounded form"),
    (C, None, CALL % "atoi|atol|atoll|atof", "use strtol() and its kin, which tell an error"),
    (C, None, CALL % "system|popen|tmpnam|mktemp|tempnam", "no shell, no guessable name"),
    (C, None, CALL % "signal" + r"(?![^;]*\bSIG_(IGN|DFL)\b)", "use sigaction() for a handler"),
    (C, None, CALL % "rand|srand|random|srandom", "use a generator with a seed of its own"),
    (C, r"(^|/)main\.c$", CALL % "exit|quick_exit",
     "return an error; a forked child ends with _exit()"),
    (C, None, CALL % "assert", "use xp_assert(), which stays on in a release"),
    (C, None, r"#\s*include\s*<assert\.h>", "use xp_assert() of base/err.h"),
    (LIBRARY, r"^impl/base/assert\.c$",
     CALL % "printf|fprintf|vprintf|vfprintf|dprintf|puts|fputs|putchar|perror|psignal",
     "the library is silent: return the error"),
    (C, None, r'#\s*include\s*["<]\.\./', "include by room: \"xpshare/<room>/<header>.h\""),
    (C, None, r"typedef\s+(struct|union)\b", "spell struct out"),
    (r"^impl/", None, r"\b(xc|xb)_\w+", "impl/ knows nothing of the suite or the benchmark"),
    (r"^conformance/", None, r"\bxb_\w+|#\s*include\s*\"bench/", "the two consumers never meet"),
    (r"^bench/", None, r"\bxc_\w+|#\s*include\s*\"conformance/", "the two consumers never meet"),
]

# (files, pattern in the whole text, remedy)
TEXT_RULES = [
    (r"\.(c|h|cc|def|py|gp|cmake)$|(^|/)CMakeLists\.txt$|^scripts/", r"\b(TODO|FIXME|HACK)\b",
     "finish it, or file an issue"),
    (r"\.(c|h|cc|def|py|gp|cmake|md|json)$|(^|/)CMakeLists\.txt$|^scripts/", r"[ \t]+$",
     "white space at the end of the line"),
    (r"\.(c|h|cc|def|py|gp|cmake|md|json)$|(^|/)CMakeLists\.txt$|^scripts/", r"\r",
     "carriage return"),
]

HAS_LICENCE = r"\.(c|h|cc|def|py|gp)$|^scripts/[a-z]+$|^\.ci/run$"
LICENCE = re.compile(r"SPDX-License-Identifier: MIT\b")
LINES_MAX = 800


def lines_matching(text, pattern):
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count("\n", 0, match.start()) + 1, match.group(0).strip()


def check_file(name, text):
    found = []
    code = source.code_only(text) if re.search(C, name) else ""
    for files, but_not, pattern, remedy in CODE_RULES:
        if re.search(files, name) and not (but_not and re.search(but_not, name)):
            for line, what in lines_matching(code, pattern):
                found.append(f"{name}:{line}: '{what}': {remedy}")
    if name == "scripts/lint/rules.py":
        return found
    for files, pattern, remedy in TEXT_RULES:
        if re.search(files, name):
            for line, what in lines_matching(text, pattern):
                found.append(f"{name}:{line}: '{what}': {remedy}")
    if re.search(HAS_LICENCE, name):
        if not LICENCE.search("\n".join(text.split("\n")[:2])):
            found.append(f"{name}:1: no 'SPDX-License-Identifier: MIT' in the first two lines")
    if re.search(C, name) and text.count("\n") > LINES_MAX:
        found.append(f"{name}:{LINES_MAX}: more than {LINES_MAX} lines: one concept a file")
    if text and not text.endswith("\n"):
        found.append(f"{name}:{text.count(chr(10)) + 1}: no newline at the end")
    return found


TEXT_FILE = (HAS_LICENCE + r"|\.(md|json|cmake|yml|toml)$|(^|/)CMakeLists\.txt$|^\.[a-z-]+$")


def check(root):
    names = [n for n in source.listing(root)
             if re.search(TEXT_FILE, n) and not n.startswith("results/runs/")]
    found = []
    for name in names:
        found += check_file(name, source.read(root, name))
    return found, names


if __name__ == "__main__":
    source.main(check, __doc__)
