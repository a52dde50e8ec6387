"""Send a message by a channel, once, within a limit of time."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from service.alarms.message import Message
from service.alarms.settings import Channel, Mailbox, Webhook

SIGNATURE = "Authopt-Signature"
"""``t=SECONDS,v1=HEX``: the HMAC-SHA256 of ``SECONDS.BODY``; see
:func:`service.webhooks.signatures.timestamped`."""


class NotSent(Exception):
    """Why a message was not taken, in words that hold no secret."""


def send(channel: Channel, message: Message, now_s: int) -> None:
    """Send a message.

    Parameters
    ----------
    channel
        where to.
    message
        what.
    now_s
        seconds since 1970, for the signature.

    Raises
    ------
    NotSent
        If it was not taken, or not within the channel's time.
    """
    try:
        if isinstance(channel, Webhook):
            _post(channel, message, now_s)
        else:
            _mail(channel, message)
    except NotSent:
        raise
    except TimeoutError:
        raise NotSent(f"no answer within {channel.timeout_s:g} s") from None
    except smtplib.SMTPResponseException as error:
        # The server's own words may repeat what was said to it.
        raise NotSent(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSent("the mail server takes none of the recipients") from None
    except ssl.SSLError as error:
        raise NotSent(f"no secure connection ({error.reason})") from None
    except OSError as error:
        raise NotSent(error.strerror or type(error).__name__) from None
    except (http.client.HTTPException, smtplib.SMTPException, ValueError) as error:
        raise NotSent(f"no proper answer ({type(error).__name__})") from None


def signature(secret: str, body: bytes, now_s: int) -> str:
    """The value of the header ``Authopt-Signature``."""
    signed = str(now_s).encode() + b"." + body
    return f"t={now_s},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _post(channel: Webhook, message: Message, now_s: int) -> None:
    body = message.json()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "authopt",
        "Idempotency-Key": message.id,
    }
    if channel.secret is not None:
        headers[SIGNATURE] = signature(channel.secret, body, now_s)
    parts = urlsplit(channel.url)
    assert parts.hostname is not None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=channel.timeout_s)
    try:
        with _limited(channel.timeout_s, lambda: connection.sock):
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
    finally:
        connection.close()
    if 300 <= status < 400:
        raise NotSent(f"answered {status}: redirects are not followed")
    if not 200 <= status < 300:
        raise NotSent(f"answered {status}")


def _mail(channel: Mailbox, message: Message) -> None:
    mail = EmailMessage()
    mail["From"] = channel.sender
    mail["To"] = ", ".join(channel.to)
    # Header lines of a name with control characters would be refused for ever.
    mail["Subject"] = "".join(each if each.isprintable() else " " for each in message.title)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{message.id}@{channel.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{message.text}\n\n{message.json().decode()}\n")
    server = smtplib.SMTP(timeout=channel.timeout_s)
    try:
        with _limited(channel.timeout_s, lambda: server.sock):
            server.connect(channel.host, channel.port)
            if channel.starttls:
                # smtplib keeps the name for the certificate only where it connects by itself.
                server._host = channel.host  # type: ignore[attr-defined]
                server.starttls(context=ssl.create_default_context())
            if channel.user is not None and channel.password is not None:
                server.login(channel.user, channel.password)
            refused = server.send_message(mail)
    finally:
        server.close()
    if refused:
        raise NotSent(f"the mail server refuses {len(refused)} of {len(channel.to)} recipients")


@contextmanager
def _limited(limit_s: float, of: Callable[[], socket.socket | None]) -> Iterator[None]:
    """End a connection that is still open after so long.

    The socket's own limit starts anew with every byte that comes.
    """
    over = threading.Event()

    def end() -> None:
        over.set()
        connected = of()
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
