"""The server: people, programs and devices over HTTP. Vertical slices, each with `routes.py` and `service.py`;
`app.py` puts them together."""
