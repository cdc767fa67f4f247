# SPDX-License-Identifier: MIT
"""stats_test - the session that README.md shows, with a private socket: stats_test.py PROGRAM."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def session():
    """(command, lines that it prints) as the page has them."""
    steps = []
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as page:
        block = page.read().split("```console\n")[1].split("```")[0]
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def main(program):
    folder = tempfile.mkdtemp(prefix="xpstats")
    socket = os.path.join(folder, "socket")
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    server, bad, ran = None, 0, 0

    def words(command):
        places = {"build/dev/examples/stats": program, "examples/stats.py": os.path.join(HERE, "stats.py"),
                  "python3": sys.executable, "unix:/tmp/stats": "unix:" + socket, "/tmp/stats": socket}
        return [places.get(word, word) for word in command.split()]
    try:
        for command, printed in session():
            if command.startswith("export "):
                name, _, value = command[7:].partition("=")
                environment[name] = value
                continue
            if command.endswith(" &"):
                server = subprocess.Popen(words(command[:-2]), env=environment, stdout=subprocess.PIPE)
                said = [server.stdout.readline().decode().rstrip("\n")]
            else:
                said = subprocess.run(words(command), env=environment, stdout=subprocess.PIPE,
                                      timeout=60).stdout.decode().splitlines()
            ran += 1
            if said != printed:
                bad += 1
                print("%s\n  printed %r, and README.md says %r" % (command, said, printed))
        bad += not refuses_reset(socket, environment)
        server.terminate()
        if server.wait(60) != 0 or os.path.exists(socket):
            bad += 1
            print("the server ended with %d, or left its socket" % server.returncode)
    finally:
        if server:
            server.stdout.close()
            if server.poll() is None:
                server.kill()
                server.wait()
        shutil.rmtree(folder)
    print("%d commands of README.md, %d wrong" % (ran, bad))
    return 1 if bad or not ran else 0


def refuses_reset(socket, environment):
    """What the list does not name is refused by the server, not only absent from the proxy."""
    from multiprocessing.managers import BaseManager, RemoteError
    BaseManager.register("Stats")
    manager = BaseManager(socket, environment["XP_AUTHKEY"].encode())
    manager.connect()
    stats = manager.Stats()
    if hasattr(stats, "reset"):
        print("the proxy has a method that is not exposed")
        return False
    try:
        stats._callmethod("reset")
    except RemoteError:
        return True
    print("the server ran a method that is not exposed")
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
