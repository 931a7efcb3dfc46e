"""The control API of a running headend, and its client."""

PREFIX = "/v1"
