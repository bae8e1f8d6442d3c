"""uvicorn's socket protocol, held upright where a stranger could push it over.

What is put right here was seen with uvicorn 0.54 and websockets 17: a handshake that
they could not read was never answered and its line never closed; bytes that are no
UTF-8, or frames before the accept, became a traceback; pongs and empty fragments filled
the memory.
"""

from http import HTTPStatus

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

BUFFER_MAX = 65_536
_FRAGMENTS_MAX = 1024


class Sturdy(WebSocketsSansIOProtocol):
    """Answers or ends whatever comes; nothing is left hanging and nothing raised."""

    @override
    def data_received(self, data: bytes) -> None:
        """Read on; a handshake that cannot be read is answered by HTTP and closed."""
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            self._turn_away()

    @override
    def send_receive_event_to_app(self) -> None:
        """Hand a message on; text that is no UTF-8 goes as bytes, which closes 4400."""
        if self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self.curr_msg_data_type = "bytes"
        super().send_receive_event_to_app()

    @override
    def handle_ping(self) -> None:
        """Answer; not one who sends pings and never reads the answers."""
        answers = b"".join(self.conn.data_to_send())
        if self.transport.get_write_buffer_size() <= BUFFER_MAX:
            self.transport.write(answers)

    @override
    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message; a message has few parts, be they empty."""
        if len(self.frames) < _FRAGMENTS_MAX:
            super().handle_cont(event)
        elif not self.close_sent:
            self.frames = []
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    @override
    def handle_close(self, event: Frame) -> None:
        """Answer a goodbye; who says it before the accept has gone without a word."""
        if self.handshake_complete:
            super().handle_close(event)
        else:
            self._gone_early()

    @override
    def handle_parser_exception(self) -> None:
        """End a line that breaks RFC 6455; before the accept without a close frame."""
        if self.conn.close_sent is None:
            self._gone_early()
        else:
            super().handle_parser_exception()

    def _gone_early(self) -> None:
        """End a line nobody accepted yet; whoever does is told that the client is gone.

        Else the library would answer 500 on a line that ended, and shout.
        """
        self.disconnected = self.handshake_complete = True
        self.transport.close()

    def _turn_away(self) -> None:
        """Answer a handshake that is none: as the library says, else by 400."""
        self.handshake_initiated = self.handshake_complete = self.close_sent = True
        told = b"".join(self.conn.data_to_send())
        if not told:
            status = HTTPStatus.BAD_REQUEST
            told = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
            told += b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        self.transport.write(told)
        self.transport.close()


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
