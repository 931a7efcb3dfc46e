"""fastpptp filter."""

from __future__ import annotations

from tests.unit.cli.conftest import Installation


def test_a_filter_from_the_command_line(installed: Installation) -> None:
    done = installed.done("filter", "add", "web", "--default-action", "forward")
    assert done == "Filter web added. No headend is running.\n"
    words = ("filter", "rule", "add", "web")
    installed.done(*words, "mail", "--protocol", "tcp", "--destination-port", "25")
    installed.done(*words, "all", "--action", "forward", "--place", "1")
    installed.done("filter", "rule", "move", "web", "all", "2")
    installed.done("filter", "rule", "set", "web", "mail", "--action", "drop and log")
    installed.done("filter", "set", "web", "--reset", "default-action", "--description", "no mail")
    assert installed.lines("filter", "show", "web") == [
        "Filter: web",
        "Description: no mail",
        "Default Action: Drop",
        "Source Routing: no",
        "Fragments: yes",
        "Place Rule Packets Octets",
        "1 mail: Inbound Drop and Log TCP from any to any port 25 - -",
        "2 all: Inbound Forward any from any to any - -",
        "Default Action: Drop - -",
        "Fragments, short headers and source routes, dropped - -",
    ]
    assert installed.json("filter", "show", "web")["counts"] is None
    assert installed.lines("filter", "list") == [
        "Filter Rules Default Action Description",
        "web 2 Drop no mail",
    ]
    assert installed.json("filter", "list")[0]["rules"][0]["name"] == "mail"
    installed.done("base-group", "set", "--filter", "web")
    assert installed.failed(4, "filter", "delete", "web") == (
        "fastpptp: filters.web: is used by base_group (choose others there first)\n"
    )
    installed.done("base-group", "set", "--filter", "none")
    installed.done("filter", "rule", "delete", "web", "all")
    installed.done("filter", "delete", "web")
    assert installed.json("filter", "list") == []


def test_bad_options(installed: Installation) -> None:
    installed.done("filter", "add", "web")
    words = ("filter", "rule", "add", "web", "r")
    for option, value in (
        ("--destination-port", "70000"), ("--protocol", "sctp"), ("--source-address", "10.0.0.1/8"),
        ("--action", "refuse"), ("--direction", "up"), ("--tcp-connection", "new"),
    ):  # fmt: skip
        said = installed.failed(2, *words, option, value)
        assert f"Invalid value for '{option}': '{value}' is not valid (allowed: " in said
    assert installed.failed(4, *words, "--source-port", "1") == (
        "fastpptp: filters.web.rules[1].source_port: is set for any protocol "
        "(set the protocol to TCP or UDP)\n"
    )
