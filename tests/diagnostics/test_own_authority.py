"""An authority of the house is trusted after the remedy, with the system's own tool and folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.diagnostics.trial_server import KEY, Authority, TrialServer, beside

IN_OWN_NAMESPACE = r"""
set -e
mount -t tmpfs own /usr/local/share/ca-certificates
mount -t tmpfs own /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay own -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
cd "$1"
sudo() { "$@"; }
before=$("$2" -c "$3" "$1/parley.toml")
remedy=${before##*of your own: }
[[ $remedy == "sudo cp YOUR-CA.crt "* ]]
eval "${remedy/YOUR-CA.crt/ca.crt}" >/dev/null
echo "$before"
echo ---
"$2" -c "$3" "$1/parley.toml"
"""
TRIED = """
import os, sys
from pathlib import Path
from parleyd import config
from parleyd.diagnostics import server_trial, server_trial_checks
from parleyd.diagnostics.server_checks import ShellKeys
server_trial.OBJECTS_WITHIN_S = 0.2
place = Path(sys.argv[1])
found = next(server_trial_checks.server(config.load(place), {}, ShellKeys(os.environ), place))
print(found.level, found.text, "|", found.remedy)
"""


@pytest.mark.slow
def test_authority_of_the_house_is_trusted_after_the_remedy(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("update-ca-certificates") is None:
        pytest.skip("needs root, and the package ca-certificates")
    authority = Authority(tmp_path)
    with beside(TrialServer(certificate=authority.signed("localhost")).running) as server:
        text = f'[realtime]\nserver = "compatible"\nurl = "{server.url}"\nmodel = "m"\n'
        (tmp_path / "parley.toml").write_text(text)
        ran = subprocess.run(
            [
                "unshare",
                "-m",
                "bash",
                "-c",
                IN_OWN_NAMESPACE,
                "own",
                tmp_path,
                sys.executable,
                TRIED,
            ],
            env={**os.environ, "REALTIME_API_KEY": KEY},
            capture_output=True,
            text=True,
            timeout=120,
        )
    if "mount" in ran.stderr:
        pytest.skip(f"needs an overlay: {ran.stderr.strip()}")
    assert ran.returncode == 0, ran.stderr
    before, after = ran.stdout.split("---\n")
    assert before.startswith("fail the certificate of localhost comes from an authority")
    assert after.startswith("ok localhost opens a session with the key")
