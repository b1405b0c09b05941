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
        self.directory, self.labels, self.pin = directory, labels, pin
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
        shim = {"TRENT_SHIM_MODULE": MODULE, "TRENT_SHIM_ORDERS": str(self.directory / "orders")}
        return bare_environment() | {"SOFTHSM2_CONF": str(self.configuration)} | shim

    def serials(self):
        """The serial numbers of the tokens, by label, in their order."""
        serials, serial = {}, None
        for line in run(["softhsm2-util", "--show-slots"], env=self.environment()).splitlines():
            name, _, value = (part.strip() for part in line.partition(":"))
            if name == "Serial number":
                serial = value
            elif name == "Label":
                serials[value] = serial
        return {label: serials[label] for label in self.labels}

    def share(self, label, hsms):
        """Shows the one token as so many HSMs that share keys and users, through the shim; gives their serial numbers."""
        self.order("shared-by", f"hsms {hsms}")
        return [first + self.serials()[label][1:] for first in "pqrstuvw"[:hsms]]

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
        return f'{self.module_settings(module)}token_label = "{label}"\npin_file = "{self.pin_file}"\n'

    def module_settings(self, module=MODULE):
        """Those of a module that sees these tokens."""
        variables = {name: value for name, value in self.environment().items() if name not in bare_environment()}
        environment = ", ".join(f'{name} = "{value}"' for name, value in variables.items())
        return f'module = "{module}"\nmodule_environment = {{ {environment} }}\n'

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
