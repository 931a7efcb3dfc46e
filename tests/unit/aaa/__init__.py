"""Tests of the authentication policy."""
