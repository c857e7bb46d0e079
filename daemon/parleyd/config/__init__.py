"""The configuration: one TOML file, typed, checked as a whole.

Secrets are never in the file: they come from systemd credentials or from the environment.
"""

from parleyd.config.credentials import password as password
from parleyd.config.credentials import secret as secret
from parleyd.config.mcp_checks import is_home_assistant as is_home_assistant
from parleyd.config.parser import load as load
from parleyd.config.parser import parse as parse
from parleyd.config.parser import text_of as text_of
from parleyd.config.schema import AudioConfig as AudioConfig
from parleyd.config.schema import ButtonsConfig as ButtonsConfig
from parleyd.config.schema import Config as Config
from parleyd.config.schema import EarconsConfig as EarconsConfig
from parleyd.config.schema import GroupConfig as GroupConfig
from parleyd.config.schema import HearingConfig as HearingConfig
from parleyd.config.schema import HomeConfig as HomeConfig
from parleyd.config.schema import HooksConfig as HooksConfig
from parleyd.config.schema import LightsConfig as LightsConfig
from parleyd.config.schema import LogConfig as LogConfig
from parleyd.config.schema import McpServerConfig as McpServerConfig
from parleyd.config.schema import MqttConfig as MqttConfig
from parleyd.config.schema import PageConfig as PageConfig
from parleyd.config.schema import PlayoutConfig as PlayoutConfig
from parleyd.config.schema import RealtimeConfig as RealtimeConfig
from parleyd.config.schema import SkillsConfig as SkillsConfig
from parleyd.config.schema import TurnConfig as TurnConfig
from parleyd.config.schema import WakeConfig as WakeConfig
