"""An emulator of AWS, for as long as a test needs it: prints its endpoint, and ends when its standard input does.

    emulator.py moto|ministack

Two, because each is wrong somewhere: what passes on both is not an emulator's mistake.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PATIENCE = 120


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def moto():
    from moto.server import ThreadedMotoServer
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://%s:%d" % server.get_host_and_port()


@contextlib.contextmanager
def ministack(**settings):
    """Its log and its files go when it does."""
    with tempfile.TemporaryDirectory(prefix="stepwell-ministack-") as scratch, contextlib.ExitStack() as ends:
        port = free_port()
        environment = dict(os.environ, BIND_HOST="127.0.0.1", MINISTACK_HOST="127.0.0.1", GATEWAY_PORT=str(port),
                           DOCKER_HOST="unix:///nonexistent", TMPDIR=scratch, **settings)
        log = pathlib.Path(scratch) / "log"
        program = pathlib.Path(sys.executable).parent / "ministack"
        with open(log, "w") as out:
            process = subprocess.Popen([sys.executable, program], env=environment, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT)
        ends.callback(lambda: (process.terminate(), process.wait(30)))
        endpoint = "http://127.0.0.1:%d" % port
        limit = time.monotonic() + PATIENCE
        while not is_healthy(endpoint):
            if process.poll() is not None or time.monotonic() > limit:
                raise SystemExit("ministack does not answer:\n%s" % log.read_text())
            time.sleep(0.1)
        yield endpoint


def is_healthy(endpoint):
    with contextlib.suppress(OSError):
        urllib.request.urlopen(endpoint + "/_ministack/health").close()
        return True
    return False


if __name__ == "__main__":
    with {"moto": moto, "ministack": ministack}[sys.argv[1]]() as endpoint:
        print(endpoint, flush=True)
        # Nobody reads what goes wrong from here on, and a full pipe would hold the emulator up.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.stdin.read()
