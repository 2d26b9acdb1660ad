"""A proxy of this computer that goes away, with all that runs through it, while a file exists.

`python proxy.py FILE` prints its port and runs until its standard input ends.
"""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import sys
import threading
from pathlib import Path

CHUNK = 1 << 16
LOOK_S = 0.2


class Tunnel(socketserver.StreamRequestHandler):
    """One CONNECT request."""

    gone = Path(sys.argv[-1])

    def handle(self) -> None:
        address = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        if self.gone.exists():
            return
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as far:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            threads = [
                threading.Thread(target=self._copy, args=pair)
                for pair in ((self.connection, far), (far, self.connection))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self.gone.exists():
                if not select.select([source], [], [], LOOK_S)[0]:
                    continue
                data = source.recv(CHUNK)
                if not data:
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = True


if __name__ == "__main__":
    with Proxy(("127.0.0.1", 0), Tunnel) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        sys.stdout.write(f"{proxy.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
