"""A small S3 client (signature V4, standard library) that counts what it sends."""

import collections
import datetime
import hashlib
import hmac
import http.client
import threading
import urllib.parse
import xml.etree.ElementTree as xml
from dataclasses import dataclass

_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Login:
    access_key: str = "GK0123456789abcdef01234567"
    secret_key: str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
    region: str = "us-east-1"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class S3Client:
    """Path-style requests; one connection per thread."""

    def __init__(self, endpoint: str, login: Login) -> None:
        self.endpoint = endpoint
        self.login = login
        self.sent: collections.Counter[str] = collections.Counter()
        self._url = urllib.parse.urlsplit(endpoint)
        self._local = threading.local()

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self._expect(self._send("PUT", "PUT", bucket, key, body=body), 200, f"PUT {key}")

    def make_bucket(self, bucket: str) -> None:
        """A bucket that is there already is as good."""
        self._expect(self._send("CREATE_BUCKET", "PUT", bucket), (200, 409), f"PUT {bucket}")

    def get(self, bucket: str, key: str) -> bytes:
        return self._expect(self._send("GET", "GET", bucket, key), 200, f"GET {key}").body

    def size(self, bucket: str, key: str) -> int | None:
        """None: absent."""
        answer = self._send("HEAD", "HEAD", bucket, key)
        if answer.status == 404:
            return None
        return int(self._expect(answer, 200, f"HEAD {key}").headers["content-length"])

    def delete(self, bucket: str, key: str) -> None:
        self._expect(self._send("DELETE", "DELETE", bucket, key), (200, 204), f"DELETE {key}")

    def keys(self, bucket: str, prefix: str = "") -> dict[str, int]:
        """Every key below the prefix with its size."""
        found: dict[str, int] = {}
        query = {"list-type": "2", "prefix": prefix}
        while True:
            answer = self._send("LIST", "GET", bucket, query=query)
            root = xml.fromstring(self._expect(answer, 200, f"LIST {prefix}").body)
            for item in root.iterfind("{*}Contents"):
                found[item.findtext("{*}Key") or ""] = int(item.findtext("{*}Size") or 0)
            token = root.findtext("{*}NextContinuationToken")
            if not token:
                return found
            query["continuation-token"] = token

    def admin(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Controls of the test servers; not signed, not counted."""
        return self._exchange(method, f"/_admin/{path}", {}, body)

    def _send(
        self,
        verb: str,
        method: str,
        bucket: str,
        key: str = "",
        query: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        self.sent[verb] += 1
        path = urllib.parse.quote(f"/{bucket}/{key}" if key else f"/{bucket}", safe="/-_.~")
        pairs = sorted((query or {}).items())
        text = "&".join(f"{_quote(name)}={_quote(value)}" for name, value in pairs)
        headers = self._sign(method, path, text)
        return self._exchange(method, f"{path}?{text}" if text else path, headers, body)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> Answer:
        for attempt in (0, 1):
            connection = getattr(self._local, "connection", None)
            if connection is None:
                make = http.client.HTTPSConnection if self._url.scheme == "https" else None
                connection = (make or http.client.HTTPConnection)(self._url.netloc, timeout=120)
                self._local.connection = connection
            try:
                connection.request(method, path, body=body, headers=headers)
                response = connection.getresponse()
                return Answer(response.status, response.headers, response.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                self._local.connection = None
                if attempt == 1:
                    raise
        raise AssertionError("unreachable")

    def _sign(self, method: str, path: str, query: str) -> dict[str, str]:
        now = datetime.datetime.now(datetime.timezone.utc)
        stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        signed = {
            "host": self._url.netloc,
            "x-amz-content-sha256": _UNSIGNED,
            "x-amz-date": stamp,
        }
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        names = ";".join(signed)
        request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{_UNSIGNED}"
        scope = f"{day}/{self.login.region}/s3/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        secret = f"AWS4{self.login.secret_key}".encode()
        for part in scope.split("/"):
            secret = hmac.digest(secret, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
        signature = hmac.digest(secret, text.encode(), "sha256").hex()
        credential = f"{self.login.access_key}/{scope}"
        return {
            **signed,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, "
            f"SignedHeaders={names}, Signature={signature}",
        }

    @staticmethod
    def _expect(answer: Answer, wanted: int | tuple[int, ...], what: str) -> Answer:
        if answer.status not in ((wanted,) if isinstance(wanted, int) else wanted):
            said = answer.body.decode(errors="replace")[:300]
            raise RuntimeError(f"{what} answered {answer.status}: {said}")
        return answer


def _quote(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")
