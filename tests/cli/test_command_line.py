"""The command line: each problem is one line with its remedy."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from parleyd.cli.main import parley as group
from parleyd.errors import ConfigError
from parleyd.system import paths


def parley(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    without_key = {k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")}
    return subprocess.run(
        [sys.executable, "-m", "parleyd", *arguments],
        env={**without_key, **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.slow
def test_run_without_a_card_prints_one_line_with_a_remedy(tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text('[audio]\nplayback = "hw:CARD=NoSuchCard"\n')
    ended = parley("run", "--config", str(config))
    assert ended.returncode == 1
    start, line = ended.stderr.splitlines()
    assert " Parley " in start
    assert "audio.playback" in line
    assert "NoSuchCard" in line
    assert "plug the card in, or choose a device" in line


@pytest.mark.slow
def test_run_never_shows_a_key(
    tmp_path: Path,
) -> None:
    config = tmp_path / "parley.toml"
    config.write_text('[audio]\nplayback = "hw:CARD=NoSuchCard"\n[realtime]\nserver = "openai"\n')
    ended = parley("run", "--config", str(config), OPENAI_API_KEY="sk-secret-0123456789")
    assert "sk-secret" not in ended.stderr + ended.stdout


@pytest.mark.slow
def test_check_prints_every_problem_as_one_line(tmp_path: Path) -> None:
    config = tmp_path / "parley.toml"
    config.write_text("[audio]\nlead_ms = 1\n[turn]\nsilence = 3\n")
    for command in (["check", str(config)], ["run", "--config", str(config)]):
        ended = parley(*command)
        assert ended.returncode == 2
        assert ended.stderr.splitlines() == [
            "parley: audio.lead_ms: 1 is not allowed, allowed is a whole number from 20 to 200",
            "parley: turn.silence: is unknown, did you mean silence_ms?",
        ]


def test_commands_use_the_installed_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed, other = tmp_path / "parley.toml", tmp_path / "other.toml"
    monkeypatch.setattr(paths, "INSTALLED_CONFIG", installed)
    none = CliRunner().invoke(group, ["check"])
    assert none.exit_code == 2
    assert "there is no installed configuration: name a FILE" in none.output
    installed.write_text("[audio]\nlead_ms = 1\n")
    other.write_text("[turn]\nsilence = 3\n")
    commands = {
        installed: [
            ["check"],
            ["run"],
            ["mqtt"],
            ["page"],
            ["explain", "x"],
            ["wake", "test", "x"],
        ],
        other: [["check", str(other)], ["check", "--config", str(other)]],
    }
    for file, lines in commands.items():
        for line in lines:
            error = CliRunner().invoke(group, line).exception
            assert isinstance(error, ConfigError), line
            (problem,) = error.problems
            assert problem.startswith("audio.lead_ms" if file is installed else "turn.silence")


@pytest.mark.parametrize("arguments", [("--help",), ("turns", "-"), ("completion", "bash")])
def test_output_that_cannot_be_written_is_one_line(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "parleyd", *arguments]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 1
    assert ran.stderr == b"parley: the output cannot be written (No space left on device)\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_closed_streams_are_no_fault(closed: str) -> None:
    command = f"{sys.executable} -m parleyd turns - </dev/null {closed}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_check_accepts_the_default_configuration() -> None:
    ended = parley("check", str(files("parleyd.config").joinpath("default.toml")))
    assert ended.returncode == 0
    assert ended.stdout.endswith("good\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["run", "demo", "serve", "check", "turns", "doctor", "status", "volume"]
)
def test_help_describes_every_command(command: str) -> None:
    assert f"parley {command}" in parley(command, "--help").stdout
    assert command in parley("--help").stdout


def test_help_loads_neither_models_nor_plots() -> None:
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from parleyd.cli.main import parley\n"
        "assert CliRunner().invoke(parley, ['--help']).exit_code == 0\n"
        "print([m for m in ('onnxruntime', 'matplotlib', 'pvporcupine') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.strip() == "[]"


COMPLETE = """
PATH={folder}:$PATH
eval "$(parley completion bash)"
for words in "parley mu" "parley volume --" "parley say --voice m"; do
  read -ra COMP_WORDS <<<"$words"
  COMPREPLY=()
  COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
  _parley_completion parley
  echo "${{COMPREPLY[*]}}"
done
"""


@pytest.mark.slow
def test_bash_completes_commands_options_and_choices() -> None:
    script = COMPLETE.format(folder=Path(sys.executable).parent)
    told = subprocess.check_output(["bash", "-c", script], text=True, timeout=60)
    assert told.splitlines() == ["mute", "--json --help", "model"]


def test_completion_of_commands_loads_none_of_them() -> None:
    code = (
        "import click, sys\n"
        "from parleyd.cli.main import parley\n"
        "found = parley.shell_complete(click.Context(parley), 's')\n"
        "assert {item.value for item in found} >= {'say', 'status', 'stop', 'serve'}\n"
        "print([m for m in sys.modules if m.startswith(('parleyd.cli.', 'numpy'))])"
    )
    told = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert told.strip() == "['parleyd.cli.main']"


@pytest.mark.parametrize(
    "command",
    ["status", "watch", "listen", "stop", "mute", "unmute", "volume", "say", "timers", "turns"],
)
def test_help_of_each_control_command_has_examples(command: str) -> None:
    from click.testing import CliRunner

    from parleyd.cli.main import parley as group

    told = CliRunner().invoke(group, [command, "--help"]).output
    assert f"  parley {command}" in told.partition("Examples:")[2]
    assert "--json" in told
    assert ("3  no daemon runs" in told) is (command != "turns")


ASK_AS_NOBODY = """
import os, sys
from parleyd.control.client import ControlClient
from parleyd.errors import ControlError
os.setresuid(65534, 65534, 65534)
try:
    ControlClient({"XDG_STATE_HOME": sys.argv[1]})
except ControlError as error:
    print(error.exit_code, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="PERMISSION IS NOT TESTED: this needs root")
def test_command_without_the_right_to_connect_names_the_group(tmp_path: Path) -> None:
    (tmp_path / "parley").mkdir()
    tmp_path.chmod(0o700)
    command = [sys.executable, "-c", ASK_AS_NOBODY, str(tmp_path)]
    told = subprocess.check_output(command, text=True, timeout=60)
    assert told.startswith("4 you are not in the group parley: sudo adduser $USER parley")
