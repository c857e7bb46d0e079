"""The configuration: one TOML file, typed, checked as a whole.

Secrets are never in the file: they come from systemd credentials or from the environment.
"""

from parleyd.config.credentials import secret as secret
from parleyd.config.parser import load as load
from parleyd.config.parser import parse as parse
from parleyd.config.schema import Audio as Audio
from parleyd.config.schema import Buttons as Buttons
from parleyd.config.schema import Config as Config
from parleyd.config.schema import Hearing as Hearing
from parleyd.config.schema import Lights as Lights
from parleyd.config.schema import Log as Log
from parleyd.config.schema import Mcp as Mcp
from parleyd.config.schema import Playout as Playout
from parleyd.config.schema import Realtime as Realtime
from parleyd.config.schema import Skills as Skills
from parleyd.config.schema import Turn as Turn
from parleyd.config.schema import Wake as Wake
