"""DHCP for IPv4, the client's side, sans-IO: messages, and one lease's state machine."""
