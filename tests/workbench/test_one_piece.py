"""How our worker sends an answer: head and body in one piece, whatever kind of body it is."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from authserver.gunicorn_worker import OnePiece


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        yield ours, theirs


def arrived(theirs: socket.socket) -> bytes:
    try:
        return theirs.recv(65536)
    except BlockingIOError:
        return b""


def test_the_head_waits_for_the_body_and_the_rest_for_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    answer = OnePiece(ours)
    answer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    assert arrived(theirs) == b""
    answer.sendall(b"first")
    assert arrived(theirs) == b"HTTP/1.1 200 OK\r\n\r\nfirst"
    answer.sendall(b"second")
    assert arrived(theirs) == b"second"
    answer.flush()
    assert arrived(theirs) == b""


def test_an_answer_without_a_body_is_sent_once(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    answer = OnePiece(ours)
    answer.flush()
    answer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    answer.flush()
    answer.flush()
    assert arrived(theirs) == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_file_comes_after_its_head(ends: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    ours, theirs = ends
    file = tmp_path / "page.css"
    file.write_bytes(b"body {}")
    answer = OnePiece(ours)
    answer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with file.open("rb") as opened:
        answer.sendfile(opened)
    assert arrived(theirs) + arrived(theirs) == b"HTTP/1.1 200 OK\r\n\r\nbody {}"


def test_it_is_a_socket_in_all_else(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    answer = OnePiece(ours)
    assert answer.fileno() == ours.fileno()
    theirs.sendall(b"next")
    assert answer.recv(10) == b"next"
