"""A trace as a file that packet analysers read. Sans-IO: octets out, times and records in."""
