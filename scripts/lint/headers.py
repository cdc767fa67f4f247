# SPDX-License-Identifier: MIT
"""headers - each header compiles alone, seeing only what its room may see.

A header that needs another one to be included first, or that includes a room above its own, does not
compile here. The private include views are those that the build made (scripts/cmake/room.cmake).
"""
import concurrent.futures
import os
import subprocess

import source

FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow",
         "-Werror", "-fsyntax-only", "-x", "c", "-"]


def room_of(name, views):
    """(room, the name by which it is included) of the header at path name; None outside a room."""
    parts = name.split("/")
    if parts[0] == "impl":
        parts, prefix = parts[1:], "xpshare/"
        if len(parts) == 1:  # the umbrella header: it sees every room
            return "library", prefix + parts[0]
    else:
        prefix = ""
    for deep in range(len(parts) - 1, 0, -1):  # a room may be a folder of a room
        room = "/".join(parts[:deep])
        if os.path.isdir(os.path.join(views, room)):
            return room, prefix + "/".join(parts)
        # ... and then it is included by its own name
        if deep > 1 and os.path.isdir(os.path.join(views, parts[deep - 1])):
            return parts[deep - 1], prefix + "/".join(parts[deep - 1:])
    return None


def compile_alone(name, views, cc):
    place = room_of(name, views)
    if place is None:
        return f"{name}:1: belongs to no room: declare it with xp_room()"
    room, included = place
    view = os.path.join(views, room)
    run = subprocess.run([cc, "-I", view, *FLAGS], input=f'#include "{included}"\n', text=True,
                         capture_output=True, check=False)
    if run.returncode == 0:
        return None
    first = next((x for x in run.stderr.splitlines() if "error:" in x), run.stderr.strip())
    return f"{name}:1: does not compile alone: {first}"


def check(root, views, cc):
    names = source.c_files(root, (".h",))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda name: compile_alone(name, views, cc), names)
        return [finding for finding in results if finding], names


if __name__ == "__main__":
    source.main(check, __doc__, ("--views", "folder of the include views in the build tree"),
                ("--cc", "C compiler"))
