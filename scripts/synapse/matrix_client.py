"""The few Matrix requests of the smoke test."""

import hashlib
import hmac
import json
import urllib.error
import urllib.parse
import urllib.request


class MatrixClient:
    def __init__(self, base: str) -> None:
        self._base = base
        self._token: str | None = None

    def answers(self) -> bool:
        try:
            self._send("GET", "/_matrix/client/versions")
        except (OSError, RuntimeError):
            return False
        return True

    def register_admin(self, name: str, password: str, secret: str) -> None:
        """By the shared secret; later requests are this user's."""
        path = "/_synapse/admin/v1/register"
        nonce = json.loads(self._send("GET", path))["nonce"]
        signed = "\0".join((nonce, name, password, "admin")).encode()
        body = {
            "nonce": nonce,
            "username": name,
            "password": password,
            "admin": True,
            "mac": hmac.digest(secret.encode(), signed, hashlib.sha1).hex(),
        }
        answer = self._send("POST", path, json.dumps(body).encode(), "application/json")
        self._token = json.loads(answer)["access_token"]

    def upload(self, content: bytes, content_type: str) -> str:
        """`server/media_id`."""
        answer = self._send(
            "POST", "/_matrix/media/v3/upload?filename=smoke.png", content, content_type
        )
        return json.loads(answer)["content_uri"].removeprefix("mxc://")

    def download(self, medium: str) -> bytes:
        return self._send("GET", f"/_matrix/client/v1/media/download/{medium}")

    def thumbnail(self, medium: str, width: int, height: int, method: str) -> bytes:
        asked = urllib.parse.urlencode({"width": width, "height": height, "method": method})
        return self._send("GET", f"/_matrix/client/v1/media/thumbnail/{medium}?{asked}")

    def delete(self, medium: str) -> None:
        self._send("DELETE", f"/_synapse/admin/v1/media/{medium}")

    def _send(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> bytes:
        request = urllib.request.Request(self._base + path, data=body, method=method)
        if content_type:
            request.add_header("Content-Type", content_type)
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        # no proxy of the environment stands between two processes of one machine
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            raise RuntimeError(f"{method} {path} answered {error.code}: {said}") from None
