#!/usr/bin/env python3
"""What `make install` puts in place for a host: systemd's own tools judge the units, the user and the folders."""
import grp
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402

SRCDIR = pathlib.Path(os.environ["HF_TEST_SRCDIR"])
BUILD = pathlib.Path(os.environ["HF_TEST_HOLDFAST_PLAIN"]).parent
FOLDER = tempfile.TemporaryDirectory(prefix="holdfast-units.")
ROOT = pathlib.Path(FOLDER.name)
PREFIX = ROOT / "usr"


def command(*words, code=0, **options):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    assert done.returncode == code, done.stdout
    return done.stdout


def unit(name):
    return PREFIX / "lib/systemd/system" / f"holdfast-{name}.service"


def install():
    """The data alone, below a folder of ours; beside it stand-ins for the programs, since only their names matter."""
    if not unit("pool").exists():
        for name in ("pool", "timer"):
            (BUILD / f"deploy/systemd/holdfast-{name}.service").unlink(missing_ok=True)
        command("make", "-s", "-C", BUILD, "install-systemdsystemunitDATA", "install-data-local", "install-dist_envexampleDATA",
                f"prefix={PREFIX}", f"sysconfdir={ROOT}/etc")
        (PREFIX / "bin").mkdir()
        for name in ("holdfast-fcgi", "holdfast-timer"):
            os.symlink("/bin/true", PREFIX / "bin" / name)
        for name in ("pool", "timer"):
            (BUILD / f"deploy/systemd/holdfast-{name}.service").unlink()


@case("/units/systemd-finds-nothing-wrong-with-them")
def _():
    install()
    said = command("systemd-analyze", "verify", "--man=no", unit("pool"), unit("timer"))
    assert "holdfast" not in said, said


@case("/units/no-placeholder-is-left-and-paths-are-the-installation-s")
def _():
    install()
    for name, program in (("pool", "holdfast-fcgi"), ("timer", "holdfast-timer")):
        text = unit(name).read_text()
        assert "@bindir" not in text and "@sysconfdir" not in text
        assert f"{PREFIX}/bin/{program} --env-file={ROOT}/etc/holdfast/holdfast.env" in text, text


def sealed_case(name, most):
    """systemd's own measure, from 0 (sealed) to 100; above most, somebody opened something."""
    @case(f"/units/{name}-is-sealed")
    def _():
        install()
        command("systemd-analyze", "security", "--offline=yes", f"--threshold={most}", unit(name))


sealed_case("pool", 20)
sealed_case("timer", 6)


@case("/units/a-restart-of-the-pool-leaves-jobs-alone-and-the-timer-reloads")
def _():
    install()
    pool, timer = unit("pool").read_text(), unit("timer").read_text()
    assert "\nKillMode=process\n" in pool
    assert "\nExecReload=/bin/kill -HUP $MAINPID\n" in timer and "\nType=notify\n" in timer


@case("/units/the-user-and-the-folders-are-made")
def _():
    install()
    root = ROOT / "host"
    (root / "etc").mkdir(parents=True)
    command("systemd-sysusers", f"--root={root}", PREFIX / "lib/sysusers.d/holdfast.conf")
    passwd = (root / "etc/passwd").read_text()
    assert passwd.startswith("holdfast:") and ":/var/lib/holdfast:/usr/sbin/nologin" in passwd, passwd
    if os.getuid() == 0:
        command("systemd-tmpfiles", f"--root={root}", "--create", PREFIX / "lib/tmpfiles.d/holdfast.conf")
        modes = {name: oct((root / name).stat().st_mode & 0o7777) for name in
                 ("run/holdfast", "var/lib/holdfast", "var/backups/holdfast")}
        assert list(modes.values()) == ["0o755", "0o700", "0o700"], modes
        assert (root / "var/lib/holdfast").stat().st_uid == int(passwd.split(":")[2])


@case("/units/the-example-of-settings-is-taken")
def _():
    install()
    example = ROOT / "etc/holdfast/holdfast.env.example"
    env = {"PATH": os.environ["PATH"], "HOME": str(ROOT)}
    command(os.environ["HF_TEST_HOLDFAST_PLAIN"], "--env-file", example, "schedule", env=env)
    said = command(os.environ["HF_TEST_HOLDFAST_PLAIN"], "--env-file", example, "config", env=env)
    assert "/var/backups/holdfast" in said, said
    # Also without the signs of comments: every name in it is one of ours.
    lines = [line.removeprefix("#") for line in example.read_text().splitlines()]
    names = [line.split("=")[0] for line in lines if "=" in line and line.split("=")[0].isupper()]
    told = json.loads(command(os.environ["HF_TEST_HOLDFAST_PLAIN"], "--env-file", "/dev/null", "--json", "config", env=env))
    known = {setting["name"] for setting in told["settings"]}
    secrets = {setting["name"] + "_FILE" for setting in told["settings"] if setting.get("secret")}
    assert len(names) > 20 and set(names) <= known | secrets, set(names) - known - secrets


@case("/units/the-socket-is-for-nginx-s-group-alone")
def _():
    """spawn-fcgi as the unit calls it, with the unit's group and umask: it changes no group itself unless it is root."""
    if os.getuid() != 0:
        return
    install()
    assert "\nGroup=www-data\n" in unit("pool").read_text() and "\nUMask=0077\n" in unit("pool").read_text()
    line = next(line for line in unit("pool").read_text().splitlines() if line.startswith("ExecStart="))
    socket = ROOT / "fcgi.sock"
    words = line.removeprefix("ExecStart=").split(" -- ")[0].replace("/run/holdfast/fcgi.sock", str(socket)).split()
    os.chmod(ROOT, 0o777)
    command("setpriv", "--reuid=nobody", "--regid=www-data", "--clear-groups", *words, "--", "/bin/true", umask=0o077)
    assert oct(socket.stat().st_mode & 0o777) == "0o660"
    assert grp.getgrgid(socket.stat().st_gid).gr_name == "www-data"


run()
