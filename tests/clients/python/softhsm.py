"""SoftHSM tokens in a directory of their own, looked at with OpenSC's client; and a module before them that fails on order."""

import subprocess
from pathlib import Path

from server import bare_environment

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SHIM_SOURCE = Path(__file__).parents[3] / "crates/softhsm/src/shim.c"


def run(line, **more):
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


class Tokens:
    """Tokens of one configuration, all with the same PIN."""

    def __init__(self, directory, *labels, pin="1234-user"):
        self.directory, self.pin = directory, pin
        (directory / "tokens").mkdir(parents=True)
        (directory / "orders").mkdir()
        self.configuration = directory / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {directory / 'tokens'}\nlog.level = ERROR\n")
        self.pin_file = directory / "pin"
        self.pin_file.write_text(f"{pin}\n")
        for label in labels:
            line = ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "so-secret", "--pin", pin]
            run(line, env=self.environment())

    def environment(self):
        return bare_environment() | {"SOFTHSM2_CONF": str(self.configuration)}

    def tool(self, label, *words):
        """What OpenSC's client says of a token, logged in as its user."""
        line = ["pkcs11-tool", "--module", MODULE, "--token-label", label, "--login", "--pin", self.pin, *words]
        return run(line, env=self.environment())

    def write_key(self, label, name, key):
        """Puts a key into a token that this test knows."""
        file = self.directory / "key"
        file.write_bytes(key)
        words = ["--type", "secrkey", "--key-type", f"AES:{len(key)}", "--label", name, "--id", "ab01", "--usage-decrypt"]
        self.tool(label, "--write-object", str(file), *words)

    def settings(self, label, module=MODULE):
        """The settings of a token that two sections have in common, in TOML."""
        environment = f'SOFTHSM2_CONF = "{self.configuration}", TRENT_SHIM_MODULE = "{MODULE}", '
        environment += f'TRENT_SHIM_ORDERS = "{self.directory / "orders"}"'
        return (
            f'module = "{module}"\nmodule_environment = {{ {environment} }}\ntoken_label = "{label}"\n'
            f'pin_file = "{self.pin_file}"\n'
        )

    def shim(self):
        """The module that fails on order, built."""
        module = self.directory / "shim.so"
        run(["cc", "-shared", "-fPIC", "-O1", "-o", str(module), str(SHIM_SOURCE), "-ldl"])
        return module

    def order(self, function, what):
        """From now on this function does so; without a word it does as SoftHSM does."""
        order = self.directory / "orders" / function
        if what is None:
            order.unlink()
            return
        draft = self.directory / "orders" / "draft"
        draft.write_text(what)
        draft.rename(order)
