"""exim, a real SMTP server that delivers to Maildirs of the test's own."""

from __future__ import annotations

import shutil
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from fastpptp.events.routing import MailSecurity, MailServer
from tests.hosts import Host
from tests.services.certificates import make_certificate
from tests.services.daemons import LOOPBACK, Daemon, free_port, tool

# It runs in a mount namespace where these folders of the test lie over the system's.
CONFIGURATION = """
primary_hostname = mail.example.com
acl_smtp_rcpt = recipients
acl_smtp_data = data
tls_advertise_hosts = *
tls_certificate = /etc/exim4/certificate.pem
tls_privatekey = /etc/exim4/key.pem
tls_on_connect_ports = {tls}
keep_environment =
queue_run_max = 5
rfc1413_query_timeout = 0s

begin acl
recipients:
  deny local_parts = nobody
       message = no such person here
  defer local_parts = later
       !condition = ${{if exists{{/var/mail/open}}}}
       message = come again
  accept
data:
  deny condition = ${{if eq{{$sender_address}}{{spam@example.com}}}}
       message = we do not like it
  accept

begin routers
all:
  driver = accept
  local_parts = ops : night : boss : later
  transport = maildir

begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /var/mail/$local_part_data
  create_directory
  envelope_to_add
  return_path_add
  user = mail

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{fastpptp}}}}{{eq{{$auth3}}{{s3cret word}}}}}}}}
  server_set_id = $auth2
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""
MOUNTS = {"etc": "/etc/exim4", "spool": "/var/spool/exim4", "log": "/var/log/exim4",
          "mail": "/var/mail"}  # fmt: skip


class Exim(Daemon):
    """exim with a port for SMTP and STARTTLS, and one for TLS from the start."""

    def __init__(self, folder: Path, host: Host | None = None) -> None:
        self.port, self.tls = free_port(), free_port()
        program = tool("exim4", "exim4-daemon-light")
        for name in MOUNTS:
            (folder / name).mkdir()
            shutil.chown(folder / name, "Debian-exim", "Debian-exim")
        shutil.chown(folder / "mail", "mail", "mail")
        (folder / "etc" / "exim4.conf").write_text(CONFIGURATION.format(tls=self.tls))
        self.certificate, key = make_certificate(folder / "etc")
        shutil.chown(key, "root", "Debian-exim")
        key.chmod(0o640)
        mounts = [f"mount --bind {folder / name} {place}" for name, place in MOUNTS.items()]
        listen = f"{LOOPBACK}.{self.port} : {LOOPBACK}.{self.tls}"
        run = f'exec {program} -bdf -oX "<; {listen.replace(" : ", " ; ")}"'
        script = "\n".join([*mounts, run])
        super().__init__(folder, "unshare", "--mount", "sh", "-ec", script, host=host)

    def ready(self) -> bool:
        return self.listens(self.port) and self.listens(self.tls)

    def tell(self) -> str:
        logs = [path.read_text(errors="replace") for path in (self.folder / "log").iterdir()]
        return "\n".join([super().tell(), *logs])

    def count(self, who: str) -> int:
        """How many messages were delivered to somebody."""
        return len(self._messages(who))

    def mailbox(self, who: str, count: int) -> list[EmailMessage]:
        """What was delivered to somebody, which must come to so many messages."""
        self.wait(lambda: self.count(who) >= count, f"{who} has not {count} messages")
        found = self._messages(who)
        assert len(found) == count
        return [message_from_bytes(path.read_bytes(), policy=default) for path in found]

    def _messages(self, who: str) -> list[Path]:
        folder = self.folder / "mail" / who / "new"
        return sorted(folder.iterdir()) if folder.is_dir() else []

    def server(self, security: MailSecurity = MailSecurity.NONE, **words: str) -> MailServer:
        port = self.tls if security is MailSecurity.TLS else self.port
        return MailServer(LOOPBACK, port, security, **words)
