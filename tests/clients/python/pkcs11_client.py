"""Another client of PKCS#11, in a process of its own: SoftHSM reads its configuration once in a process.

Takes one question per line of standard input, as JSON, and answers with JSON: the AES keys of a token, or what one of them
makes of a message. A token is named by its label or its serial number. The module is SoftHSM's unless another is named.
"""

import json
import sys

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from softhsm import MODULE

FLAGS = ["SENSITIVE", "EXTRACTABLE", "ALWAYS_SENSITIVE", "NEVER_EXTRACTABLE", "LOCAL", "ENCRYPT", "DECRYPT", "PRIVATE"]


def keys(session):
    return list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES}))


def told(key):
    flags = {name: key[Attribute[name]] for name in FLAGS}
    return flags | {"LABEL": key[Attribute.LABEL], "ID": key[Attribute.ID].hex(), "VALUE_LEN": key[Attribute.VALUE_LEN]}


def key_named(session, name):
    (key,) = [key for key in keys(session) if key[Attribute.ID].hex() == name]
    return key


def answer(library, question):
    serial = question.get("serial")
    named = {"token_serial": serial.encode()} if serial else {"token_label": question["token"]}
    token = library.get_token(**named)
    with token.open(user_pin=question["pin"]) as session:
        if "id" not in question:
            return [told(key) for key in keys(session)]
        iv, aad, text = [bytes.fromhex(question[name]) for name in ("iv", "aad", "text")]
        key, parameters = key_named(session, question["id"]), pkcs11.GCMParams(iv, aad, 128)
        use = key.encrypt if question["what"] == "encrypt" else key.decrypt
        return use(text, mechanism=Mechanism.AES_GCM, mechanism_param=parameters).hex()


if __name__ == "__main__":
    module = sys.argv[1] if len(sys.argv) > 1 else MODULE
    for line in sys.stdin:
        print(json.dumps(answer(pkcs11.lib(module), json.loads(line))), flush=True)
