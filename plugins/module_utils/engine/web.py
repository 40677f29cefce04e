"""Servers that are asked: registries as their clients ask them, and why an answer does not come."""

import http.client
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, Iterable, Optional


def tls_context(authority: Optional[str] = None) -> ssl.SSLContext:
    """Return how a server's certificate is judged: as Docker does, by the system's authorities or by a file alone."""
    context = ssl.create_default_context(cafile=authority)
    # Python 3.13 asks more than Docker: certificates with identifiers of their authority's key.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def reason(error: Any, timeout: float) -> str:
    """Return in words why an answer did not come."""
    if isinstance(error, urllib.error.HTTPError):
        return "HTTP %d" % error.code
    if isinstance(error, urllib.error.URLError):
        error = error.reason
    if isinstance(error, ssl.SSLError):
        # [SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1000)
        text = re.sub(r"^\[.*?\] | \(_ssl\.c:\d+\)$", "", str(error.args[-1]))
        return "it does not speak TLS" if "WRONG_VERSION" in str(error) else text
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    text = re.sub(r"^\[SSL[^]]*\] | \(_ssl\.c:\d+\)", "", text)
    if "timed out" in text:
        return "no answer within %g s" % timeout
    return text[:1].lower() + text[1:]


def ask_registry(
    url: str,
    proxies: Dict[str, str],
    authorities: Iterable[str] = (),
    insecure: bool = False,
    auth: str = "",
    timeout: float = 20,
    upload: str = "",
) -> str:
    """Return why a registry does not answer, or does not take a login; empty where all is well.

    :param proxies: by scheme; those of the environment do not count.
    :param authorities: files to believe beside the system's authorities.
    :param auth: a login as Docker's configuration has it.
    :param upload: a repository to which a push is begun.
    """
    headers = {"Authorization": "Basic " + auth} if auth else {}
    try:
        context = tls_context()
        for path in authorities:
            context.load_verify_locations(path)
        if insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        place = url.rstrip("/") + "/v2/" + ("%s/blobs/uploads/" % upload if upload else "")
        request = urllib.request.Request(place, b"" if upload else None, headers)
        handlers = [urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)]
        opener = urllib.request.build_opener(*handlers)
        try:
            opener.open(request, timeout=float(timeout)).close()
        except urllib.error.HTTPError as error:
            # Some give a token for a login.
            realm = re.match(
                'Bearer realm="([^"]+)"(.*service="([^"]*)")?', error.headers.get("WWW-Authenticate") or ""
            )
            if error.code != 401 or not auth or not realm:
                raise
            query = urllib.parse.urlencode({"service": realm.group(3) or ""})
            place = "%s?%s" % (realm.group(1), query)
            opener.open(urllib.request.Request(place, None, headers), timeout=float(timeout)).close()
    except urllib.error.HTTPError as error:
        # Without a login 401 asks for one: a registry all the same.
        if error.code != 401 or auth:
            return "it answers %d%s" % (error.code, ", so it does not take the password" if error.code == 401 else "")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return reason(error, timeout)
    return ""
