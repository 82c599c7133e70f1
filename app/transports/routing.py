"""The transport of the application: a url that begins with ``/`` stays in this process."""

from __future__ import annotations

from app.transport import Request, Response, Transport


class RoutingTransport:
    """Gives each request to the local or to the network transport."""

    def __init__(self, local: Transport, network: Transport) -> None:
        self._local = local
        self._network = network

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer.
        """
        is_local = request.url.startswith("/")
        return (self._local if is_local else self._network).send(request)
