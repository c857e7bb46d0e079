"""The configuration: one TOML file, typed, checked as a whole.

Secrets are never in the file: keys come from the environment or from systemd credentials.
"""

from parleyd.config.credentials import secret as secret
from parleyd.config.parser import load as load
from parleyd.config.parser import parse as parse
from parleyd.config.schema import *  # noqa: F403 -- the sections are the package's interface
