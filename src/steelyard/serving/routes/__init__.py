"""One endpoint a file; each gives a router for a :class:`~steelyard.serving.service.Service`."""
