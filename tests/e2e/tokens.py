#!/usr/bin/env python3
"""Tokens as applications make them: by jsonwebtoken (npm) and by OpenSSL's command line, judged by `holdfast token --check`,
which is the service's own judgement; and Holdfast's tokens, judged by jsonwebtoken.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from tap import case, run  # noqa: E402

HOLDFAST = os.environ["HF_TEST_HOLDFAST"]
MINT = pathlib.Path(os.environ["HF_TEST_SRCDIR"]) / "tests" / "npm" / "tokens.js"
MODULES = os.environ["HF_TEST_NODE_MODULES"]
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
ADMIN = {"sub": "u1", "role": "admin"}
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-tokens."))


def openssl(*words, data=None):
    return subprocess.run(["openssl", *words], input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def make_key(name, *words):
    """A private key, NAME.pem, and its public one, NAME.pub, by OpenSSL."""
    openssl("genpkey", *words, "-out", str(FOLDER / f"{name}.pem"))
    openssl("pkey", "-in", str(FOLDER / f"{name}.pem"), "-pubout", "-out", str(FOLDER / f"{name}.pub"))


make_key("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
make_key("other", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
for bits in (256, 384, 521):
    make_key(f"p{bits}", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:P-{bits}")


def text(name):
    return (FOLDER / name).read_text(encoding="utf-8")


def holdfast(*words, data="", **settings):
    """Runs holdfast in an empty folder with these settings alone; gives exit status, stdout, stderr."""
    env = {"PATH": os.environ["PATH"], "HOME": str(FOLDER), "LC_ALL": "C.UTF-8"}
    env.update({name: os.environ[name] for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS") if name in os.environ})
    env.update(settings)
    done = subprocess.run([HOLDFAST, *words], env=env, cwd=FOLDER, input=data, capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def node(*items):
    done = subprocess.run(["node", MINT], env={"PATH": os.environ["PATH"], "NODE_PATH": MODULES},
                          input=json.dumps(items), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def sign(payload, key, **options):
    token = node({"sign": {"payload": payload, "key": key, "options": options}})[0]
    assert isinstance(token, str), token
    return token


def admitted(token, **settings):
    code, out, err = holdfast("token", "--check", data=token, **settings)
    assert code == 0 and out == 'an administrator\'s token, of "u1"\n', (code, out, err)


def refused(token, words, **settings):
    code, out, err = holdfast("token", "--check", data=token, **settings)
    assert code == 1 and out == "" and words in err, (code, out, err)


# ---- by jsonwebtoken ----

KINDS = [(f"HS{n}", SECRET, {"JWT_SECRET": SECRET}) for n in (256, 384, 512)]
KINDS += [(f"RS{n}", text("rsa.pem"), {"JWT_PUBLIC_KEY_FILE": str(FOLDER / "rsa.pub")}) for n in (256, 384, 512)]
KINDS += [(f"ES{n}", text(f"p{bits}.pem"), {"JWT_PUBLIC_KEY_FILE": str(FOLDER / f"p{bits}.pub")})
          for n, bits in ((256, 256), (384, 384), (512, 521))]


def kind_case(algorithm, key, settings):
    @case(f"/tokens/jsonwebtoken/{algorithm}")
    def _():
        token = sign(ADMIN, key, algorithm=algorithm, expiresIn="1h", keyid="k1", issuer="app", audience=["backup", "x"])
        admitted(token, **settings)
        admitted(token, JWT_ALGORITHMS=algorithm, JWT_ISSUER="app", JWT_AUDIENCE="backup", **settings)
        refused(token, "(iss)", JWT_ISSUER="other", **settings)
        refused(token, "(aud)", JWT_AUDIENCE="other", **settings)


for row in KINDS:
    kind_case(*row)

HS = {"JWT_SECRET": SECRET}
RS = {"JWT_PUBLIC_KEY_FILE": str(FOLDER / "rsa.pub")}
HOUR = {"expiresIn": "1h"}
BAD = [
    ("alg-none", ADMIN, "", {"algorithm": "none", **HOUR}, HS, "not signed"),
    ("public-key-as-a-secret", ADMIN, text("rsa.pub"), {"algorithm": "HS256", **HOUR}, RS, "not known here"),
    ("public-key-as-a-secret-beside-a-secret", ADMIN, text("rsa.pub"), {"algorithm": "HS256", **HOUR}, {**HS, **RS},
     "signature is wrong"),
    ("another-algorithm", ADMIN, SECRET, {"algorithm": "HS512", **HOUR}, {**HS, "JWT_ALGORITHMS": "HS256"},
     "not one that is accepted"),
    ("an-algorithm-that-is-not-ours", ADMIN, text("rsa.pem"), {"algorithm": "PS256", **HOUR}, RS,
     "not one that is accepted"),
    ("another-key-type", ADMIN, text("rsa.pem"), {"algorithm": "RS256", **HOUR}, HS, "not known here"),
    ("another-secret", ADMIN, SECRET[::-1], HOUR, HS, "signature is wrong"),
    ("another-key", ADMIN, text("other.pem"), {"algorithm": "RS256", **HOUR}, RS, "signature is wrong"),
    ("expired", ADMIN, SECRET, {"expiresIn": -60}, HS, "expired at 20"),
    ("not-yet-valid", ADMIN, SECRET, {"notBefore": 1800, **HOUR}, HS, "not valid before 20"),
    ("no-exp", ADMIN, SECRET, {}, HS, "(exp)"),
    ("role-of-a-user", {"sub": "u1", "role": "user"}, SECRET, HOUR, HS, "not an administrator's"),
    ("role-missing", {"sub": "u1"}, SECRET, HOUR, HS, "not an administrator's"),
    ("of-64-kilobytes", {**ADMIN, "x": "x" * 48000}, SECRET, HOUR, HS, "more than 16384 bytes"),
]


def bad_case(name, payload, key, options, settings, words):
    @case(f"/tokens/jsonwebtoken/refused/{name}")
    def _():
        refused(sign(payload, key, **options), words, **settings)


for row in BAD:
    bad_case(*row)

ROLES = [
    ("string", {"role": "admin"}, {}),
    ("array", {"role": ["editor", "admin"]}, {}),
    ("nested", {"realm_access": {"roles": ["admin"]}}, {"JWT_ADMIN_CLAIM": "realm_access.roles"}),
    ("url", {"https://app.example.com/roles": ["admin"]}, {"JWT_ADMIN_CLAIM": "https://app.example.com/roles"}),
    ("flag", {"isAdmin": True}, {"JWT_ADMIN_CLAIM": "isAdmin", "JWT_ADMIN_VALUES": "true"}),
    ("subject", {}, {"JWT_ADMIN_SUBJECTS": "u0,u1"}),
]


def role_case(name, claims, settings):
    @case(f"/tokens/jsonwebtoken/role/{name}")
    def _():
        admitted(sign({"sub": "u1", **claims}, SECRET, **HOUR), **HS, **settings)


for row in ROLES:
    role_case(*row)


# ---- by OpenSSL's command line ----

def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signing_input(header, claims):
    claims = {**claims, "exp": int(time.time()) + 3600}
    return base64url(json.dumps(header).encode()) + "." + base64url(json.dumps(claims).encode())


def raw_ecdsa(der, size):
    """SEQUENCE of two INTEGERs to R and S (RFC 7518 section 3.4); lengths below 128, as P-256 has them."""
    assert der[0] == 0x30 and der[2] == 0x02
    r = der[4:4 + der[3]]
    rest = der[4 + der[3]:]
    s = rest[2:2 + rest[1]]
    return b"".join(int.from_bytes(x, "big").to_bytes(size, "big") for x in (r, s))


@case("/tokens/openssl/HS256")
def _():
    body = signing_input({"alg": "HS256", "typ": "JWT"}, ADMIN)
    mac = openssl("dgst", "-sha256", "-hmac", SECRET, "-binary", data=body.encode())
    admitted(f"{body}.{base64url(mac)}", **HS)


@case("/tokens/openssl/RS256")
def _():
    body = signing_input({"alg": "RS256"}, ADMIN)
    signature = openssl("dgst", "-sha256", "-sign", str(FOLDER / "rsa.pem"), "-binary", data=body.encode())
    admitted(f"{body}.{base64url(signature)}", **RS)
    refused(f"{body}.{base64url(signature[:-1] + bytes([signature[-1] ^ 1]))}", "signature is wrong", **RS)


@case("/tokens/openssl/ES256")
def _():
    settings = {"JWT_PUBLIC_KEY_FILE": str(FOLDER / "p256.pub")}
    body = signing_input({"alg": "ES256"}, ADMIN)
    der = openssl("dgst", "-sha256", "-sign", str(FOLDER / "p256.pem"), "-binary", data=body.encode())
    admitted(f"{body}.{base64url(raw_ecdsa(der, 32))}", **settings)
    refused(f"{body}.{base64url(der)}", "signature is wrong", **settings)


@case("/tokens/openssl/a-certificate-holds-the-key")
def _():
    path = str(FOLDER / "certificate.pem")
    openssl("req", "-x509", "-key", str(FOLDER / "rsa.pem"), "-subj", "/CN=idp", "-days", "1", "-out", path)
    admitted(sign(ADMIN, text("rsa.pem"), algorithm="RS256", **HOUR), JWT_PUBLIC_KEY_FILE=path)


@case("/tokens/openssl/public-key-in-the-older-form")
def _():
    path = str(FOLDER / "pkcs1.pem")
    openssl("rsa", "-in", str(FOLDER / "rsa.pem"), "-RSAPublicKey_out", "-out", path)
    admitted(sign(ADMIN, text("rsa.pem"), algorithm="RS256", **HOUR), JWT_PUBLIC_KEY_FILE=path)


# ---- Holdfast's own, judged by jsonwebtoken ----

def own_case(algorithm, key_file, public, settings):
    @case(f"/tokens/own/{algorithm}")
    def _():
        words = ["--key", str(FOLDER / key_file)] if key_file else []
        begin = int(time.time())
        code, out, err = holdfast("token", "--subject", "ops", "--expires", "10m", "--kid", "k7", "--claim", "n=5",
                                  "--claim", "team=a=b", *words, JWT_ALGORITHMS=algorithm, JWT_ISSUER="app",
                                  JWT_AUDIENCE="backup", **settings)
        assert code == 0 and err == "" and out.count("\n") == 1, (code, out, err)
        options = {"algorithms": [algorithm], "issuer": "app", "audience": "backup", "complete": True}
        seen = node({"verify": {"token": out.strip(), "key": public, "options": options}})[0]
        claims = seen["payload"]
        assert seen["header"] == {"alg": algorithm, "typ": "JWT", "kid": "k7"}, seen
        assert claims["exp"] - claims["iat"] == 600 and begin <= claims["iat"] <= time.time(), seen
        assert (claims["sub"], claims["role"], claims["n"], claims["team"]) == ("ops", "admin", 5, "a=b"), seen


for row in [("HS256", None, SECRET, HS), ("HS512", None, SECRET, HS), ("RS256", "rsa.pem", text("rsa.pub"), {}),
            ("RS512", "rsa.pem", text("rsa.pub"), {}), ("ES256", "p256.pem", text("p256.pub"), {}),
            ("ES384", "p384.pem", text("p384.pub"), {}), ("ES512", "p521.pem", text("p521.pub"), {})]:
    own_case(*row)


@case("/tokens/own/is-let-in-whatever-the-claim-is-called")
def _():
    for settings in ({}, {"JWT_ADMIN_CLAIM": "realm_access.roles"}, {"JWT_ADMIN_CLAIM": "https://a.example/roles"},
                     {"JWT_ADMIN_CLAIM": "isAdmin", "JWT_ADMIN_VALUES": "true"}, {"JWT_ADMIN_VALUES": "owner,admin"},
                     {"JWT_ISSUER": "a,b", "JWT_AUDIENCE": "c,d"}, {"JWT_ALGORITHMS": "RS256,HS384"}):
        code, out, err = holdfast("token", "--subject", "u1", **HS, **settings)
        assert code == 0, err
        admitted(out, **HS, **settings)


@case("/tokens/own/json")
def _():
    code, out, _ = holdfast("token", "--role", "user", "--json", **HS)
    reply = json.loads(out)
    assert code == 0 and reply["success"] is True and reply["claims"]["role"] == "user", reply
    refused(reply["token"], "not an administrator's", **HS)
    code, out, _ = holdfast("token", "--check", "--json", data=reply["token"], **HS)
    reply = json.loads(out)
    assert code == 1 and reply["success"] is False and "not an administrator's" in reply["error"], reply


@case("/tokens/own/a-short-secret-is-a-warning")
def _():
    code, out, err = holdfast("token", JWT_SECRET="short")
    assert code == 0 and out.count(".") == 2 and "JWT_SECRET has 5 bytes" in err and "short" not in err, (code, out, err)


openssl("pkey", "-in", str(FOLDER / "rsa.pem"), "-aes256", "-passout", "pass:x", "-out", str(FOLDER / "locked.pem"))
openssl("genpkey", "-algorithm", "ED25519", "-out", str(FOLDER / "ed25519.pem"))
USAGE = [
    ("no-secret", [], {}, "JWT_SECRET is not set"),
    ("empty-secret", [], {"JWT_SECRET": ""}, "JWT_SECRET is not set"),
    ("expires-without-a-unit", ["--expires", "60"], HS, "--expires 60"),
    ("expires-at-once", ["--expires", "0s"], HS, "--expires 0s"),
    ("expires-in-a-century", ["--expires", "36500d"], HS, "ten years"),
    ("expires-past-64-bits", ["--expires", "99999999999999999999d"], HS, "ten years"),
    ("claim-without-a-value", ["--claim", "x"], HS, "name=value"),
    ("claim-without-a-name", ["--claim", "=x"], HS, "name=value"),
    ("algorithm-of-another-key", [], {**HS, "JWT_ALGORITHMS": "RS256"}, "JWT_ALGORITHMS"),
    ("key-that-is-public", ["--key", str(FOLDER / "rsa.pub")], {}, "a private key in PEM"),
    ("key-with-a-passphrase", ["--key", str(FOLDER / "locked.pem")], {}, "without a passphrase"),
    ("key-of-another-type", ["--key", str(FOLDER / "ed25519.pem")], {}, "ED25519"),
    ("check-beside-another-option", ["--check", "--role", "admin"], HS, "--check"),
    ("check-without-a-key", ["--check"], {}, "no key that tokens could be checked with"),
    ("check-of-nothing", ["--check"], HS, "no token on standard input"),
]


def usage_case(name, words, settings, says):
    @case(f"/tokens/usage/{name}")
    def _():
        code, out, err = holdfast("token", *words, **settings)
        assert code == 2 and out == "" and says in err and err.count("\n") == 1, (code, out, err)


for row in USAGE:
    usage_case(*row)


@case("/tokens/usage/key-that-is-not-there")
def _():
    code, out, err = holdfast("token", "--key", "/nowhere/key.pem")
    assert code == 1 and out == "" and "/nowhere/key.pem" in err, (code, out, err)


# ---- doctor ----

def doctor(**settings):
    _, out, _ = holdfast("doctor", "--json", BACKUP_DIR=str(FOLDER / "store"), **settings)
    rows = [row for row in json.loads(out)["checks"] if row["check"] == "tokens"]
    assert len(rows) == 1, out
    return rows[0]["mark"], rows[0]["message"]


@case("/tokens/doctor")
def _():
    assert doctor()[0] == "ok" and "only the service needs" in doctor()[1]
    assert doctor(**HS)[0] == "ok"
    assert doctor(**RS)[0] == "ok"
    mark, message = doctor(JWT_SECRET="short")
    assert mark == "warn" and "5 bytes" in message, message
    mark, message = doctor(JWT_PUBLIC_KEY_FILE="/nowhere/key.pem")
    assert mark == "warn" and "/nowhere/key.pem" in message, message


try:
    run()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
