"""A real gunicorn on a real socket: what callers, downstreams and operators see."""
