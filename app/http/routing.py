"""The transport of the application: a url that begins with ``/`` stays in this process."""

from __future__ import annotations

from app.http.message import Request, Response, Transport, TransportError


class RoutingTransport:
    """Gives each request to the local or to the network transport."""

    def __init__(self, local: Transport, network: Transport) -> None:
        self._local = local
        self._network = network

    def send(self, request: Request) -> Response:
        """Exchange one request for one response.

        Raises:
            TransportError: no usable answer, or of kind ``address``: data led to this application.
        """
        if not request.url.startswith("/"):
            return self._network.send(request)
        if request.is_guarded:
            message = "a url that depends on data may not lead to this very application"
            raise TransportError("address", message)
        return self._local.send(request)
