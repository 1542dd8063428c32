"""One magic-wormhole exchange for each line of standard input, over a server in this process.

Prints `ready`, then for each line two times in milliseconds, counted from the moment when the code is
entered on the second side: until both sides have the verifier, and until each has the other's first
message. Both clients are connected before the clock starts. Nothing is on disk, and nothing is kept.

    target/compare/venv/bin/python benches/compare/magic_wormhole.py <<< go

Needs what benches/compare/setup.sh installs.
"""

import sys
import time

import wormhole
from twisted.internet import defer, reactor, stdio
from twisted.protocols.basic import LineReceiver
from wormhole_mailbox_server.database import create_channel_db
from wormhole_mailbox_server.server import make_server
from wormhole_mailbox_server.web import make_web_server

APP = "example.org/wire-benchmark"


@defer.inlineCallbacks
def exchange(url):
    a = wormhole.create(APP, url, reactor)
    b = wormhole.create(APP, url, reactor)
    a.allocate_code()
    code = yield a.get_code()
    yield b.get_welcome()

    start = time.perf_counter()
    b.set_code(code)
    yield defer.gatherResults([a.get_verifier(), b.get_verifier()])
    verified = time.perf_counter()
    a.send_message(b"from a")
    b.send_message(b"from b")
    heard = yield defer.gatherResults([a.get_message(), b.get_message()])
    done = time.perf_counter()
    assert heard == [b"from b", b"from a"], heard

    yield defer.gatherResults([a.close(), b.close()])
    return (verified - start) * 1e3, (done - start) * 1e3


class Commands(LineReceiver):
    delimiter = b"\n"

    def __init__(self, url):
        self.url = url

    def connectionMade(self):
        self.sendLine(b"ready")

    @defer.inlineCallbacks
    def lineReceived(self, _line):
        try:
            verified, heard = yield exchange(self.url)
        except Exception as error:
            print(error, file=sys.stderr)
            self.transport.loseConnection()
            return
        self.sendLine(f"{verified:.3f} {heard:.3f}".encode())

    def connectionLost(self, reason=None):
        if reactor.running:
            reactor.stop()


def main():
    server = make_server(create_channel_db(":memory:"))
    site = make_web_server(server, log_requests=False)
    port = reactor.listenTCP(0, site, interface="127.0.0.1")
    stdio.StandardIO(Commands(f"ws://127.0.0.1:{port.getHost().port}/v1"))
    reactor.run()


if __name__ == "__main__":
    main()
