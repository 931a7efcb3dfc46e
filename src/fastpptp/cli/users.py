"""fastpptp user: Configuration | User Management | Users."""

from __future__ import annotations

from fastpptp.cli.accounts import NAME, NEW, Accounts, noun
from fastpptp.cli.common import Environment, environment, print_table
from fastpptp.cli.edit import Editor, editing
from fastpptp.cli.passwords import NewPassword, password_options
from fastpptp.cli.show import tree_of, without_secrets
from fastpptp.settings.attributes import Level
from fastpptp.settings.draft import Draft
from fastpptp.settings.inherit import Inheritance
from fastpptp.settings.writing import write_user

user = noun(
    Accounts(
        Level.USER,
        asks=True,
        entries=lambda tree: tree.users,
        write=write_user,
        resolved=Inheritance.user,
        add=Draft.add_user,
        set=Draft.set_user,
        rename=Draft.rename_user,
        delete=Draft.delete_user,
        inherit="the group again (group: from none)",
        help={
            "set": "Change the user NAME. Simultaneous Logins 0 disables it.",
            "rename": "Call the user NAME NEW.",
            "delete": "Delete the user NAME.",
        },
        still={
            "set": "a change holds from the next one",
            "rename": "they go on under the old name",
            "delete": "they go on until they end by themselves",
        },
    )
)


@user.command()
@NAME
@NEW
@password_options(ask=True)
@editing
def copy(edit: Editor, name: str, new: str, secret: NewPassword) -> None:
    """Add the user NEW, like NAME but for password, addresses and networks."""
    edit(lambda draft: draft.copy_user(name, new, secret.values), f"User {new} added.")
    secret.tell(edit)


@user.command("list")
@environment
def list_(env: Environment) -> None:
    """List the users."""
    users = tree_of(env).users
    data = [
        {"name": name, **without_secrets(Level.USER, write_user(entry))}
        for name, entry in users.items()
    ]
    rows = [
        (name, entry.group, entry.address, ", ".join(entry.attributes) or "inherited")
        for name, entry in users.items()
    ]
    env.answer(data, lambda: print_table(("User", "Group", "IP Address", "Own attributes"), rows))
