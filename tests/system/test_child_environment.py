"""The environment of Parley's child processes."""

import ast
from pathlib import Path

import parleyd
from parleyd.system.child_environment import child_environment

FULL = {
    "PATH": "/usr/bin",
    "HOME": "/root",
    "LANG": "de_DE.UTF-8",
    "LC_TIME": "C",
    "TZ": "Europe/Berlin",
    "PYTHONPATH": "daemon",
    "XDG_RUNTIME_DIR": "/run/user/0",
    "RUNTIME_DIRECTORY": "/run/parley",
    "OPENAI_API_KEY": "sk-secret",
    "REALTIME_API_KEY": "secret",
    "PICOVOICE_ACCESS_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "GITHUB_TOKEN": "secret",
    "CREDENTIALS_DIRECTORY": "/run/credentials/parleyd.service",
    "NOTIFY_SOCKET": "/run/systemd/notify",
    "WATCHDOG_USEC": "10000000",
    "http_proxy": "http://user:secret@proxy:3128",
    "HTTPS_PROXY": "http://user:secret@proxy:3128",
    "all_proxy": "socks5://proxy:1080",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "LD_PRELOAD": "/tmp/evil.so",
    "LC": "no locale",
}


def test_child_environment_keeps_only_the_allowed() -> None:
    assert child_environment(FULL) == {
        "PATH": "/usr/bin",
        "HOME": "/root",
        "LANG": "de_DE.UTF-8",
        "LC_TIME": "C",
        "TZ": "Europe/Berlin",
        "PYTHONPATH": "daemon",
        "XDG_RUNTIME_DIR": "/run/user/0",
        "RUNTIME_DIRECTORY": "/run/parley",
    }


def test_child_environment_is_overridden_by_keywords() -> None:
    assert child_environment({"OMP_NUM_THREADS": "4"}, OMP_NUM_THREADS="1") == {
        "OMP_NUM_THREADS": "1"
    }


def test_child_environment_is_used_for_every_child_process() -> None:
    """Every start of a process in the package passes `env=child_environment(...)`."""
    starters = {"run", "Popen", "check_output", "check_call", "call", "create_subprocess_exec"}
    forbidden = {"system", "popen", "spawnv", "posix_spawn", "create_subprocess_shell"}
    found = 0
    for path in Path(parleyd.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = ast.unparse(node.func.value)
            assert not (owner in ("os", "asyncio") and node.func.attr in forbidden), path
            if owner in ("subprocess", "asyncio") and node.func.attr in starters:
                if (owner, node.func.attr) == ("asyncio", "run"):
                    continue
                given = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert given.get("env", "").startswith(("child_environment(", "environment")), path
                found += 1
    assert found >= 5
