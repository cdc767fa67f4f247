# SPDX-License-Identifier: MIT
"""differences - where xpmanager deliberately answers otherwise than the CPython it is compared with.

Each row: (versions, what was called, ours, theirs, reason). versions is "all", "2", "3", "3.6", "<3.11",
">=3.12"; the other three are regular expressions that must match. A difference that no row explains is a
failure.
"""
import re

TYPE_ERROR = r"^raises (RemoteError: |builtins\.|exceptions\.)TypeError"
WORDS = "the words of a TypeError change from version to version; ours are those of 3.11"

ROWS = [
    ("<3.11", "", TYPE_ERROR, TYPE_ERROR, WORDS),
    (">=3.12", "", TYPE_ERROR, TYPE_ERROR, WORDS),
    ("all", r"list\.sort\(", TYPE_ERROR, TYPE_ERROR,
     "which pair a failing sort meets first is up to its algorithm, which changes from version to version"),
    ("all", r"sort\(key=abs\)", r"TypeError.*key function is code", r"^NoneType None",
     "a key is sent by name and would be called in the server, which runs no code; sort a copy instead"),
    ("2", r"^m\.list\(\[2, 'a', 1\]\)\.sort\(\)", TYPE_ERROR, r"^NoneType None",
     "2.7 orders values of different types; ours orders as 3.x"),
    ("all", r"\.get\(timeout='x'\)", TYPE_ERROR, TYPE_ERROR, "the words of whatever the number is used for first"),
    ("all", r"Semaphore\('x'\)", TYPE_ERROR, TYPE_ERROR, "the words of whatever the number is used for first"),
    ("all", r"Queue\('x'\)", TYPE_ERROR, r"^int 0$",
     "CPython makes a queue whose size is no number, and fails at the first put"),
    ("2", r"Semaphore\(('x'|1, 2)\)", TYPE_ERROR, r"^proxy of", "2.7 makes a semaphore of anything"),
    ("2", r"Condition\(1, 2\)", TYPE_ERROR, r"AttributeError: 'int' object", "refused earlier"),
    ("all", r"call\(s, 'acquire', 1, 2, 3\)", r"BoundedSemaphore\.acquire", r"Semaphore\.acquire",
     "CPython names the class that defines the method, which is the base"),
    ("all", r"call\(c, 'acquire', 1, 2, 3\)", TYPE_ERROR, TYPE_ERROR,
     "CPython calls itself through a proxy of the lock, and the proxy complains"),
    ("<3.11", r"del n\.missing|Namespace\.__delattr__\(", r"^raises \w+\.AttributeError",
     r"^raises \w+\.AttributeError", "up to 3.10 the message is the bare name; ours is that of 3.11"),
    ("<3.13", r"acquire\(True, -5\)", r"non-negative", r"must be positive", "ours are the words of 3.13"),
    ("all", r"acquire\(True, 1e300\)", r"OverflowError", r"OverflowError",
     "the words name an internal type of CPython, and change with it"),
    ("2", "", r"OverflowError.*(ssize_t|unsigned long|C long|index-sized|too big|negative value)", r"OverflowError",
     "2.7 names its long or C's long; ours are the words of 3.x"),
    ("2", r"Array\('z'", r"ValueError: bad typecode", r"ValueError: bad typecode",
     "2.7 lists c, and neither q nor Q; one server has them all"),
    ("2", r"Array\('i', 'x'\)", TYPE_ERROR, r"ValueError: string length",
     "2.7 takes a str for the bytes of the array"),
    ("2", r"str\([ql]\)", r"^str '<(queue|locked|unlocked)", r"^str '<(Queue|thread|_RLock)",
     "repr of an object without a value: ours is that of 3.x"),
    # Of exposed_test.py: what is listed, and what answers to a bare name.
    ("2", r"^Iterator\.(__next__|next)$", r"^#(RETURN|ERROR .*StopIteration)", r"^#(TRACEBACK KeyError|RETURN)",
     "an iterator of 2.7 has no __next__, though its manager lists it; ours has both, and the second of two ends"),
    ("2", r"^list\.__reversed__$", r"^#ERROR exceptions.TypeError", r"^#UNSERIALIZABLE TypeError",
     "refused with the same words, but before it is pickled"),
    ("3.6", r"^dict(\.has_key)?$", r"^exposes|TypeError", r"has_key|KeyError",
     "3.6 lists has_key, which its dict has not; ours lists it to 2.7 alone, and answers whoever calls it"),
    ("3.12", r"^(Queue|JoinableQueue)(\.shutdown)?$", r"shutdown|#RETURN", r"task_done$|absent",
     "the handshake does not tell 3.12 from 3.13, whose queues can be shut down"),
    ("all", r"^Pool$", r"^is refused: NotImplementedError: .*Python", r"^is made",
     "a pool is code in the server, and this server runs none"),
]


def holds(versions, version):
    here = tuple(int(part) for part in version.split("."))
    if versions == "all":
        return True
    match = re.match(r"(<|>=|)([0-9.]+)$", versions)
    limit = tuple(int(part) for part in match.group(2).split("."))
    if match.group(1) == "<":
        return here < limit
    if match.group(1) == ">=":
        return here >= limit
    return here[:len(limit)] == limit


def reason(version, called, ours, theirs):
    """Why the two answers may differ, or None if they may not."""
    for row in ROWS:
        if (holds(row[0], version) and re.search(row[1], called) and re.search(row[2], ours)
                and re.search(row[3], theirs)):
            return row[4]
    return None
