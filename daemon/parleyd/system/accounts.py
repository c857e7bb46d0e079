"""The names of users and groups, for messages."""

import grp
import pwd


def user_name(uid: int) -> str:
    """Return the user's name, or the number of a user without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the group's name, or the number of a group without a name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
