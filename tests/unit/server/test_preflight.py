"""Golden texts of what may be missing, from trees that look like /proc and /sys."""

from __future__ import annotations

import os
import socket
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fastpptp.errors import UnavailableError
from fastpptp.server import preflight

LOOPBACK = IPv4Address("127.0.0.1")
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid inode\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with one process, 417, that holds the socket 9001."""
    made = tmp_path / "proc"
    (made / "net").mkdir(parents=True)
    (made / "self").mkdir()
    (made / "417" / "fd").mkdir(parents=True)
    (made / "417" / "comm").write_text("pptpctrl\n")
    os.symlink("socket:[9001]", made / "417" / "fd" / "3")
    (made / "net" / "raw").write_text(HEADER)
    (made / "net" / "tcp").write_text(HEADER)
    return made


def row(address: str, port: int, state: str, inode: int) -> str:
    octets = int.from_bytes(IPv4Address(address).packed, "little")
    return (
        f"   0: {octets:08X}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 "
        f"00000000     0        0 {inode} 2 0000000000000000 0\n"
    )


class TestCapabilities:
    def status(self, proc: Path, capabilities: int) -> None:
        (proc / "self" / "status").write_text(f"Name:\tx\nCapEff:\t{capabilities:016x}\n")

    def test_both_are_there(self, proc: Path) -> None:
        self.status(proc, 1 << 12 | 1 << 13)
        preflight.check_capabilities(proc)

    @pytest.mark.parametrize(
        ("held", "lacks"),
        [
            (0, "CAP_NET_ADMIN and CAP_NET_RAW"),
            (1 << 13, "CAP_NET_ADMIN"),
            (1 << 12, "CAP_NET_RAW"),
        ],
    )
    def test_what_lacks_is_named(self, proc: Path, held: int, lacks: str) -> None:
        self.status(proc, held)
        with pytest.raises(UnavailableError) as caught:
            preflight.check_capabilities(proc)
        assert str(caught.value) == (
            f"this process lacks {lacks}\n"
            "Run as root (sudo fastpptp ...), or grant them to the service: "
            "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW"
        )


class TestTunDevice:
    def test_it_is_there(self, tmp_path: Path) -> None:
        preflight.check_tun_device(tmp_path, modprobe=("false",))

    def test_modprobe_makes_it(self, tmp_path: Path) -> None:
        device = tmp_path / "tun"
        preflight.check_tun_device(device, modprobe=("touch", str(device)))

    @pytest.mark.parametrize("modprobe", ["false", "/nonexistent/modprobe"])
    def test_it_is_not(self, tmp_path: Path, modprobe: str) -> None:
        device = tmp_path / "tun"
        with pytest.raises(UnavailableError) as caught:
            preflight.check_tun_device(device, modprobe=(modprobe,))
        assert caught.value.what == f"this machine has no {device}"
        assert "modprobe tun" in caught.value.remedy


class TestGre:
    def test_nobody_uses_it(self, proc: Path, tmp_path: Path) -> None:
        preflight.check_gre_free(proc, tmp_path / "sys")

    def test_other_raw_sockets_do_not_matter(self, proc: Path, tmp_path: Path) -> None:
        (proc / "net" / "raw").write_text(HEADER + row("0.0.0.0", 1, "07", 9001))
        preflight.check_gre_free(proc, tmp_path / "sys")

    def test_a_raw_socket(self, proc: Path, tmp_path: Path) -> None:
        (proc / "net" / "raw").write_text(HEADER + row("0.0.0.0", 47, "07", 9001))
        with pytest.raises(UnavailableError) as caught:
            preflight.check_gre_free(proc, tmp_path / "sys")
        assert caught.value.what == ("GRE (IP protocol 47) is already used by pptpctrl (pid 417)")
        assert "--share-gre" in caught.value.remedy

    def test_one_whose_owner_cannot_be_seen(self, proc: Path, tmp_path: Path) -> None:
        (proc / "net" / "raw").write_text(HEADER + row("0.0.0.0", 47, "07", 1))
        with pytest.raises(UnavailableError, match="used by another process"):
            preflight.check_gre_free(proc, tmp_path / "sys")

    @pytest.mark.parametrize(("references", "refused"), [("0\n", False), ("2\n", True)])
    def test_the_kernel_module(
        self, proc: Path, tmp_path: Path, references: str, refused: bool
    ) -> None:
        module = tmp_path / "sys" / "module" / "pptp"
        module.mkdir(parents=True)
        (module / "refcnt").write_text(references)
        if not refused:
            preflight.check_gre_free(proc, tmp_path / "sys")
            return
        with pytest.raises(UnavailableError, match=r"the kernel's pptp module is in use \(2"):
            preflight.check_gre_free(proc, tmp_path / "sys")


class TestListen:
    def test_every_address_or_none(self, proc: Path) -> None:
        with socket.create_server(("127.0.0.2", 0)) as taken:
            port = taken.getsockname()[1]
            (proc / "net" / "tcp").write_text(
                HEADER
                + row("127.0.0.2", port, "01", 1)
                + row("127.0.0.3", port, "0A", 1)
                + row("127.0.0.2", port, "0A", 9001)
            )
            with pytest.raises(UnavailableError) as caught:
                preflight.listen([LOOPBACK, IPv4Address("127.0.0.2")], port, proc)
            assert caught.value.what == (
                f"TCP port {port} on 127.0.0.2 is taken by pptpctrl (pid 417)"
            )
            assert f"`ss -ltnp sport = :{port}` shows it" in caught.value.remedy
            # The first listener was given back.
            (listener,) = preflight.listen([LOOPBACK], port, proc)
            listener.close()

    def test_an_address_that_is_not_ours(self) -> None:
        with pytest.raises(UnavailableError) as caught:
            preflight.listen([IPv4Address("192.0.2.77")], 1723)
        assert str(caught.value) == (
            "192.0.2.77 is not an address of this machine\n"
            "`ip -4 address` lists them; choose one with --listen."
        )

    def test_they_listen(self) -> None:
        (listener,) = preflight.listen([LOOPBACK], 0)
        with listener, socket.create_connection(listener.getsockname()):
            pass
