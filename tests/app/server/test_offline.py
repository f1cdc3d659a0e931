"""The app reaches no other machine."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """import socket
from app.server import offline
offline.stay_offline("127.0.0.1")
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname())
socket.getaddrinfo("localhost", 80)
datagram = socket.socket(type=socket.SOCK_DGRAM)
for reach in (lambda: socket.socket().connect(("192.0.2.1", 80)), lambda: socket.getaddrinfo("example.org", 80),
              lambda: datagram.connect(("192.0.2.1", 53)), lambda: datagram.sendto(b"?", ("192.0.2.1", 53))):
    try:
        reach()
    except PermissionError:
        print("refused")
"""


def test_other_machines_are_neither_looked_up_nor_reached():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["refused"] * 4, done.stderr
