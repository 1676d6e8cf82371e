"""What the tests of proofs share: a world with a folder for scratch clusters, and what may be left in it: nothing."""
import glob
import os

from world import World


class Proof(World):
    """With a folder for scratch clusters that their user can reach: root's temporary folders are closed."""

    def __init__(self, database):
        super().__init__(database)
        os.chmod(self.folder, 0o711)
        self.scratch = os.path.join(self.folder, "scratch")
        os.mkdir(self.scratch)
        os.chmod(self.scratch, 0o711)
        self.env["SCRATCH_DIR"] = self.scratch

    def backup(self, what="database", code=0, **env):
        result = self.run("--json", "backup", what, **env)
        assert result.code == code, result
        return result.json

    def leaves_nothing(self):
        assert not os.listdir(self.scratch), os.listdir(self.scratch)
        assert not servers(self.scratch), servers(self.scratch)


def servers(folder):
    """Process ids of whatever has folder among its arguments."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read()
        except OSError:
            continue
        if os.fsencode(folder) in words:
            found.append(int(path.split("/")[2]))
    return found
