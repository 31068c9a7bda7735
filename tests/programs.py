"""Stand-ins for the programs timeloop-model and timeloop-mapper: our drop-ins, and scripted crashes and hangs."""

from __future__ import annotations

import io
import json
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen

from timeloop_marl.cli.dropin import run_model

_DROP_IN = """\
import os, sys
from pathlib import Path
from timeloop_marl.cli.dropin import run_{kind}
sys.exit(run_{kind}(sys.argv[1:], environ=os.environ, stdout=sys.stdout, stderr=sys.stderr, cwd=Path.cwd()))
"""


def drop_in(folder: Path, kind: str = "model") -> Path:
    """An executable ``timeloop-model`` or ``timeloop-mapper`` in ``folder`` that is our drop-in."""
    return script(folder, _DROP_IN.format(kind=kind), f"timeloop-{kind}")


def script(folder: Path, text: str, name: str = "timeloop-model") -> Path:
    """An executable Python script in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


_CLIENT = """\
import json, os, socket, sys
{before}
log = os.environ.get("CALL_LOG")
if log:
    with open(log, "a") as stream:
        stream.write("call\\n")
link = socket.socket(socket.AF_UNIX)
link.connect({address!r})
link.sendall((json.dumps([os.getcwd(), sys.argv[1:], dict(os.environ)]) + "\\n").encode())
code, out, err = json.loads(link.makefile().readline())
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
"""


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        folder, words, environ = json.loads(self.rfile.readline())
        out, err = io.StringIO(), io.StringIO()
        with _ONE_AT_A_TIME:
            code = self.server.answer(words, environ=environ, stdout=out, stderr=err, cwd=Path(folder))
        with suppress(BrokenPipeError):  # the program was killed meanwhile
            self.wfile.write((json.dumps([code, out.getvalue(), err.getvalue()]) + "\n").encode())


_ONE_AT_A_TIME = threading.Lock()


class _Server(socketserver.UnixStreamServer):
    answer: Callable[..., int]


class _ThreadingServer(socketserver.ThreadingMixIn, _Server):
    daemon_threads = True


@contextmanager
def quick_drop_in(folder: Path, before: str = "", answer: Callable[..., int] = run_model) -> Iterator[Path]:
    """A ``timeloop-model`` that answers in milliseconds: ``answer`` runs in this process, the program asks it.

    Every call is noted in the file ``$CALL_LOG``, if that is set, after the statements ``before`` were run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    address = str(folder / "model.socket")
    with _ThreadingServer(address, _Handler) as server:
        server.answer = answer
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        path = _client(folder, address, before)
        try:
            yield path
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asked_by(folder: Path, name: str, answer: Callable[..., int]) -> Iterator[Callable[[Popen[bytes]], None]]:
    """A program that asks this thread. Yields what ``answer``s until a process has ended, which may call it."""
    folder.mkdir(parents=True, exist_ok=True)
    address = folder / "socket"
    address.unlink(missing_ok=True)
    with _Server(str(address), _Handler) as server:
        server.answer, server.timeout = answer, 0.02

        def attend(process: Popen[bytes]) -> None:
            end = time.monotonic() + 300
            while process.poll() is None:
                server.handle_request()
                if time.monotonic() > end:
                    process.kill()

        _client(folder, str(address), "", name)
        yield attend


def _client(folder: Path, address: str, before: str, name: str = "timeloop-model") -> Path:
    path = script(folder, _CLIENT.format(address=address, before=before), name)
    path.write_text(path.read_text().replace(sys.executable, f"{sys.executable} -ISE", 1))
    return path
