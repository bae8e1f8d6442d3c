"""HTTP clients of a phone: no proxy of the environment, trust only where it is used."""

import ssl

import httpx

CONNECTIONS_MAX = 64
IDLE_S = 30.0  # the bank keeps an idle line for 75 s: the phone closes it first


def line(url: str, timeout_s: float) -> httpx.AsyncClient:
    """A client for one address; close it.

    For plain http the certificates are not even read, which saves a quarter of a
    second; a redirect to https would then be trusted by nobody, and none is followed.
    """
    secure = url.startswith("https:")
    trust = (
        ssl.create_default_context()
        if secure
        else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    return httpx.AsyncClient(
        timeout=timeout_s,
        trust_env=False,
        verify=trust,
        limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S),
    )
