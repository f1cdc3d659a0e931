"""The app reaches no other machine."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """import socket
from app.server import offline
offline.stay_offline("127.0.0.1", "192.0.2.7")
socket.getaddrinfo("192.0.2.7", 80)
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname())
socket.getaddrinfo("localhost", 80), socket.gethostbyname("127.0.0.1"), socket.getnameinfo(("127.0.0.1", 80), 0)
datagram, other = socket.socket(type=socket.SOCK_DGRAM), "192.0.2.1"
datagram.bind(("127.0.0.1", 0))
datagram.sendto(b"?", datagram.getsockname()), datagram.sendmsg([b"?"], [], 0, datagram.getsockname())
for reach in (
    lambda: socket.socket().connect((other, 80)),
    lambda: socket.socket().connect_ex((other, 80)),
    lambda: socket.create_connection((other, 80)),
    lambda: datagram.connect((other, 53)),
    lambda: datagram.sendto(b"?", (other, 53)),
    lambda: datagram.sendto(b"?", 0, (other, 53)),
    lambda: datagram.sendmsg([b"?"], [], 0, (other, 53)),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: socket.getaddrinfo(b"example.org", 80),
    lambda: socket.gethostbyname("example.org"),
    lambda: socket.gethostbyname_ex("example.org"),
    lambda: socket.gethostbyaddr(other),
    lambda: socket.getnameinfo((other, 80), 0),
):
    try:
        reach()
        print("reached")
    except PermissionError:
        print("refused")
"""


def test_other_machines_are_neither_looked_up_nor_reached():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["refused"] * 13, done.stderr
