"""Tests of the authentication protocols."""
