"""A world whose backups are encrypted: keys, a database, a folder of images, and age(1) as the other side."""
import os
import re
import subprocess

from world import World, fresh_database

SQL = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
INSERT INTO customers SELECT i, 'customer ' || md5(i::text) FROM generate_series(1, 20000) i;
"""


class Sealed(World):
    """A world with a database, a folder of images, and keys that its backups are encrypted for."""

    def __init__(self, name="enc"):
        super().__init__(fresh_database(f"e2e_{name}", SQL))
        os.chmod(self.folder, 0o711)  # a scratch cluster runs as another user where the tests run as root
        self.images = os.path.join(self.folder, "images")
        os.mkdir(self.images)
        self.env["IMAGES_DIR"] = self.images
        for number in range(30):
            self.put(f"pictures/{number:03}.jpg", os.urandom(20000))
        self.recipient = self.keygen("key.txt")
        self.env["BACKUP_RECIPIENTS"] = self.recipient

    def put(self, key, content):
        path = os.path.join(self.images, key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)

    def keygen(self, name):
        done = self.run("keygen", "--output", name)
        assert done.code == 0, done
        return done.out.strip()

    def path(self, name):
        return os.path.join(self.folder, name)

    def owner(self, *words, key="key.txt", **env):
        """As on a host that has the secret key."""
        return self.run(*words, BACKUP_IDENTITY_FILE=self.path(key), **env)

    def backup(self, *words, **env):
        done = self.run("--json", "backup", *words, **env)
        assert done.code == 0, done
        return done.json["set"]

    def stored(self, name):
        return os.path.join(self.env["BACKUP_DIR"], name)

    def find(self, pattern):
        found = [name for name in self.store_files() if re.search(pattern, name)]
        assert len(found) == 1, (pattern, found)
        return self.stored(found[0])


def mistyped(key):
    """A key whose last letter is another one, whatever it was."""
    letters = "xq" if key.islower() else "XQ"
    return key[:-1] + letters[key[-1] == letters[0]]


def age_opens(path, key):
    done = subprocess.run(["age", "-d", "-i", key, path], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
