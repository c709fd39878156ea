"""Mail: one message at a time, over SMTP (RFC 5321) with TLS, to the server of the settings."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage

from cape_airflow.coordinator.settings import Settings

log = logging.getLogger(__name__)

_SECONDS = 20


def send_mail(settings: Settings, to: str, subject: str, text: str) -> None:
    """Send a message. Where that fails the log says so, without the text: whoever asked for it has the link as well."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.smtp_from, to, subject
    message.set_content(text)
    try:
        with _connected(settings) as server:
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        log.error("the mail server %s did not take a mail: %s", settings.smtp_host, type(error).__name__)


def _connected(settings: Settings) -> smtplib.SMTP:
    host, port, context = (
        str(settings.smtp_host),
        settings.smtp_port,
        ssl.create_default_context(cafile=settings.smtp_ca),
    )
    if settings.smtp_security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=_SECONDS)
    if settings.smtp_security == "starttls":
        server.starttls(context=context)
    if settings.smtp_user is not None and settings.smtp_password is not None:
        server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    return server
