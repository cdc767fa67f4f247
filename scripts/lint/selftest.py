# SPDX-License-Identifier: MIT
"""selftest - each lint reports a small file that breaks its rule, and nothing about one that does not.

usage: selftest.py LINT    (rules, headers, clauses, format, tidy, analyzer)
"""
import contextlib
import io
import json
import os
import sys
import tempfile

import clauses
import format as formatting
import headers
import rules
import tidy

SPDX = "/* SPDX-License-Identifier: MIT */\n"
GOOD_C = SPDX + """#include "xpshare/base/good.h"

#include <signal.h>

/* sleep() in a comment, "exit(1)" in a comment: no calls. */
int xp_good(void)
{
	const char *text = "printf(gets(x)); ../";

	signal(SIGPIPE, SIG_IGN);
	return text[0] == '"';
}
"""
GOOD_H = SPDX + """/**
 * xp_good() - Say so.
 *
 * Return:   1.
 * Clauses:  lock.exclusion
 *           lock.deadline
 */
int xp_good(void);
"""
GOOD = {
    "impl/base/good.c": GOOD_C,
    "impl/base/good.h": GOOD_H,
    "conformance/clauses/lock.def": SPDX
    + 'XC_CLAUSE(lock.exclusion, MUST, "One holder at a time.", "SPEC I4")\n'
    + 'XC_CLAUSE(lock.deadline, SHOULD, "A \\"deadline\\" is kept.", "POSIX (2017), 3.4")\n',
    ".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 8\nUseTab: Always\nColumnLimit: 100\n"
    + "BreakBeforeBraces: Linux\n",
    ".clang-tidy": "Checks: '-*,bugprone-*'\n",
}


def body(statement):
    return {"impl/base/bad.c": SPDX + f"int f(void)\n{{\n\t{statement}\n}}\n"}


# name of the lint -> (what is wrong, files, words that the finding must hold)
BAD = {
    "rules": [
        ("sleeping", body("sleep(1);"), "bad.c:4: 'sleep('"),
        ("unbounded copy", body("strcpy(a, b);"), "bounded"),
        ("shell", body("return system(a);"), "shell"),
        ("exit in the library", body("exit(1);"), "_exit"),
        ("printing in the library", body('printf("x");'), "silent"),
        ("handler", body("signal(SIGINT, handler);"), "sigaction"),
        ("assert", body("assert(x);"), "xp_assert"),
        ("include by path", {"impl/base/bad.c": SPDX + '#include "../x.h"\n'}, "include by room"),
        ("hidden struct", {"impl/base/bad.h": SPDX + "typedef struct x x_t;\n"}, "struct out"),
        ("upward name", body("xb_run();"), "knows nothing"),
        ("consumer of consumer", {"conformance/bad.c": SPDX + '#include "bench/x.h"\n'}, "never"),
        ("no licence", {"bench/bad.c": "int x;\n"}, "SPDX"),
        ("unfinished", {"bench/bad.c": SPDX + "/* TO" + "DO */\n"}, "finish"),
        ("white space", {"bench/bad.c": SPDX + "int x; \n"}, "white space"),
        ("too long", {"bench/bad.c": SPDX + "int x;\n" * 801}, "one concept"),
        ("no last newline", {"bench/bad.c": SPDX + "int x;"}, "newline"),
    ],
    "headers": [
        ("needs another first", {"impl/base/bad.h": SPDX + "size_t xp_bad(void);\n"}, "size_t"),
        ("includes upwards",
         {"impl/base/bad.h": SPDX + '#include "xpshare/sync/lock.h"\n'}, "sync/lock.h"),
        ("outside every room", {"impl/nowhere/bad.h": SPDX + "int x;\n"}, "no room"),
    ],
    "clauses": [
        ("unknown", {"impl/base/bad.h": SPDX + "/* Clauses: lock.magic */\n"}, "'lock.magic'"),
        ("unknown on the second line",
         {"impl/base/bad.h": SPDX + "/*\n * Clauses: lock.deadline\n *   lock.magic\n */\n"},
         "bad.h:4: there is no clause 'lock.magic'"),
        ("unknown family", {"impl/base/bad.h": SPDX + "/* Clauses: queue.* */\n"}, "'queue.*'"),
        ("level", {"conformance/clauses/bad.def":
                   'XC_CLAUSE(a.b, MAY, "One.", "SPEC")\n'}, "bad.def:1"),
        ("no source", {"conformance/clauses/bad.def":
                       'XC_CLAUSE(a.b, MUST, "One.", "")\n'}, "bad.def:1"),
        ("twice", {"conformance/clauses/bad.def":
                   'XC_CLAUSE(lock.deadline, MUST, "One.", "SPEC")\n'}, "already"),
    ],
    "format": [("spaces", {"impl/base/bad.c": SPDX + "int  f( void ) { return 1; }\n"}, "bad.c:2")],
    "tidy": [("misplaced bracket", {"impl/base/bad.c": SPDX
              + "#include <stdlib.h>\n#include <string.h>\nchar *f(const char *s);\n"
              + "char *f(const char *s)\n{\n\treturn malloc(strlen(s + 1));\n}\n"}, "bad.c:7")],
    "analyzer": [("use after free", {"impl/base/bad.c": SPDX + "#include <stdlib.h>\nint f(void);\n"
                  + "int f(void)\n{\n\tint *p = calloc(1, 4);\n\tfree(p);\n\treturn *p;\n}\n"},
                  "bad.c:8")],
}


def build_tree(root, files):
    for name, text in files.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    view = os.path.join(root, "build", "view", "base", "xpshare")
    os.makedirs(view)
    os.symlink(os.path.join(root, "impl", "base"), os.path.join(view, "base"))
    commands = [{"directory": root, "file": os.path.join(root, name),
                 "command": f"cc -std=c17 -Ibuild/view/base -c {name}"}
                for name in files if name.endswith(".c")]
    with open(os.path.join(root, "build", "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(commands, file)


def findings(lint, files):
    with tempfile.TemporaryDirectory(prefix="xpshare-lint-") as root:
        build_tree(root, files)
        build = os.path.join(root, "build")
        with contextlib.redirect_stdout(io.StringIO()):
            return {
                "rules": lambda: rules.check(root),
                "headers": lambda: headers.check(root, os.path.join(build, "view"), "cc"),
                "clauses": lambda: clauses.check(root),
                "format": lambda: formatting.check(root),
                "tidy": lambda: tidy.check(root, build, "config"),
                "analyzer": lambda: tidy.check(root, build, "analyzer"),
            }[lint]()[0]


def main(lint):
    wrong = 0
    found = findings(lint, GOOD)
    if found:
        wrong += 1
        print("reported, although nothing is wrong:", *found, sep="\n  ")
    for what, files, words in BAD[lint]:
        found = findings(lint, {**GOOD, **files})
        if not any(words in finding for finding in found):
            wrong += 1
            print(f"not reported: {what} (looked for \"{words}\")", *found, sep="\n  ")
    print(f"{len(BAD[lint]) + 1} trees looked at, {wrong} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in BAD:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
