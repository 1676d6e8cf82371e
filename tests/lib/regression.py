"""The database that PostgreSQL's own regression tests leave behind, made by their SQL on a server of its own.

The SQL comes out of Debian's source package, from wherever this machine's apt gets its packages; nothing of apt's settings
or lists is changed.  C functions of the tests are compiled against the headers of postgresql-server-dev, unpacked and not installed.
"""
import glob
import os
import re
import shutil
import subprocess

PACKAGE = "postgresql-15"
BIN = "/usr/lib/postgresql/15"


class Apt:
    """apt with lists and a cache in a folder of its own, and with the sources of the packages that it knows."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("lists/partial", "cache/archives/partial", "parts", "src"):
            os.makedirs(os.path.join(folder, name))
        self.copy_sources()
        self.options = []
        for name, value in (("Dir::Etc::sourcelist", "/dev/null"), ("Dir::Etc::sourceparts", folder + "/parts"),
                            ("Dir::State::lists", folder + "/lists"), ("Dir::Cache", folder + "/cache"), ("APT::Sandbox::User", "root")):
            self.options += ["-o", f"{name}={value}"]
        self.run("apt-get", "update", "-q")

    def copy_sources(self):
        for path in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            if path.endswith(".sources"):
                text = re.sub(r"^Types:.*$", "Types: deb deb-src", text, flags=re.M)
            elif path.endswith(".list"):
                text += "\n" + re.sub(r"^deb\s", "deb-src ", text, flags=re.M)
            else:
                continue
            with open(os.path.join(self.folder, "parts", os.path.basename(path)), "w", encoding="utf-8") as copy:
                copy.write(text)

    def run(self, *words):
        done = subprocess.run([words[0], *self.options, *words[1:]], cwd=self.folder + "/src", capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, f"{words}: {done.stderr[-1000:]}"
        return done.stdout

    def fetch(self):
        """The source of the installed version, else of another minor one: a mirror may lag behind with sources."""
        installed = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", PACKAGE], capture_output=True, text=True,
                                   check=True).stdout
        versions = re.findall(r"^Version: (\S+)", self.run("apt-cache", "showsrc", PACKAGE), flags=re.M)
        failures = []
        for version in sorted(versions, key=lambda version: version != installed):
            try:
                self.run("apt-get", "source", "-q", "--download-only", f"{PACKAGE}={version}")
                self.run("apt-get", "download", "-q", "postgresql-server-dev-15")
                return glob.glob(self.folder + "/src/*.orig.tar.*")[0], glob.glob(self.folder + "/src/*.deb")[0]
            except AssertionError as failure:
                failures.append(str(failure))
        raise AssertionError("no source of " + PACKAGE + ": " + "\n".join(failures))


def unpack(folder):
    """Gives the folder of the tests, with lib/ and results/ for the server beside it."""
    tarball, headers = Apt(folder + "/apt").fetch()
    subprocess.run(["tar", "-xf", tarball, "-C", folder, "--wildcards", "--strip-components=1", "*/src/test/regress/*"], check=True)
    subprocess.run(["dpkg-deb", "-x", headers, folder + "/dev"], check=True)
    os.makedirs(folder + "/lib")
    for name in ("autoinc", "refint"):
        shutil.copy(f"{BIN}/lib/{name}.so", folder + "/lib")
    regress = folder + "/src/test/regress"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-w", f"-I{folder}/dev/usr/include/postgresql/15/server",
                    "-I/usr/include/postgresql", "-o", folder + "/lib/regress.so", regress + "/regress.c"], check=True)
    os.makedirs(folder + "/build/results")
    os.makedirs(folder + "/build/testtablespace")
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    return regress


def make(folder, env):
    """Runs the SQL of every test in the schedule's order; env says where the server is, as libpq's variables."""
    regress = unpack(folder)
    env = dict(env, PGDATABASE="regression", PGTZ="PST8PDT", PGDATESTYLE="Postgres, MDY", PG_ABS_SRCDIR=regress,
               PG_ABS_BUILDDIR=folder + "/build", PG_LIBDIR=folder + "/lib", PG_DLSUFFIX=".so")
    subprocess.run(["createdb", "-T", "template0", "regression"], env=env, check=True)
    settings = "".join(f"ALTER DATABASE regression SET {name} TO {value};" for name, value in (
        ("lc_messages", "'C'"), ("lc_monetary", "'C'"), ("lc_numeric", "'C'"), ("lc_time", "'C'"), ("bytea_output", "'hex'"),
        ("timezone_abbreviations", "'Default'")))
    subprocess.run(["psql", "-qXc", settings], env=env, check=True)
    with open(regress + "/parallel_schedule", encoding="ascii") as schedule:
        tests = [name for line in schedule if line.startswith("test:") for name in line.split()[1:]]
    for name in tests:
        # What a test says of errors is part of it, and none of our business.
        subprocess.run(["psql", "-qaX", "-f", f"{regress}/sql/{name}.sql"], env=env, cwd=folder + "/build", check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    return tests
