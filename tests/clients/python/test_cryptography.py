"""What keys do: encrypting, decrypting, data keys, random bytes."""

import pytest

VIOLATION = "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length "


def flipped(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


@pytest.mark.parametrize("size", [1, 32, 4096])
def test_what_was_encrypted_is_decrypted(kms, key, arn, size):
    plaintext = bytes(index % 256 for index in range(size))
    sealed = kms.encrypt(KeyId=key, Plaintext=plaintext)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (arn(key), "SYMMETRIC_DEFAULT")
    assert plaintext not in sealed["CiphertextBlob"] or size == 1
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])
    assert opened["Plaintext"] == plaintext and opened["KeyId"] == arn(key)
    assert opened["KeyMaterialId"] == kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], KeyId=key)["Plaintext"] == plaintext


def test_the_same_plaintext_is_never_encrypted_to_the_same_blob(kms, key):
    blobs = {kms.encrypt(KeyId=key, Plaintext=b"same")["CiphertextBlob"] for _ in range(5)}
    assert len(blobs) == 5


def test_decrypting_takes_the_very_context(kms, key, refused):
    context = {"department": "10103", "purpose": "test", "ключ": "значение"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    reordered = dict(reversed(context.items()))
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=reordered)["Plaintext"] == b"x"
    for other in [{}, context | {"more": "1"}, context | {"purpose": "Test"}, {"department": "10103"}]:
        code, _ = refused(kms.decrypt, CiphertextBlob=blob, EncryptionContext=other)
        assert code == "InvalidCiphertextException"


def test_an_altered_blob_is_refused(kms, key, refused):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x" * 32)["CiphertextBlob"]
    for other in [flipped(blob, len(blob) - 1), flipped(blob, len(blob) // 2), blob[:-1], blob + b"x", b"x" * 99]:
        code, _ = refused(kms.decrypt, CiphertextBlob=other)
        assert code in {"InvalidCiphertextException", "AccessDeniedException"}
    code, _ = refused(kms.decrypt, CiphertextBlob=flipped(blob, len(blob) - 1))
    assert code == "InvalidCiphertextException"


def test_a_blob_is_not_opened_in_the_name_of_another_key(kms, key, refused):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert refused(kms.decrypt, CiphertextBlob=blob, KeyId=other) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )


def test_a_blob_of_another_region_tells_nothing(trent, kms, key, refused):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    code, message = refused(trent.client("eu-west-1").decrypt, CiphertextBlob=blob)
    assert code == "AccessDeniedException" and "does not exist" in message


def test_a_blob_is_moved_to_another_key(kms, key, arn):
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"moved", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob,
        SourceKeyId=key,
        SourceEncryptionContext={"a": "1"},
        DestinationKeyId=other,
        DestinationEncryptionContext={"b": "2"},
    )
    assert (moved["SourceKeyId"], moved["KeyId"]) == (arn(key), arn(other))
    assert moved["SourceEncryptionAlgorithm"] == moved["DestinationEncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"b": "2"})
    assert opened["Plaintext"] == b"moved" and opened["KeyId"] == arn(other)


@pytest.mark.parametrize(
    ("length", "size"), [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1024}, 1024)]
)
def test_data_keys_come_clear_and_sealed(kms, key, arn, length, size):
    data_key = kms.generate_data_key(KeyId=key, EncryptionContext={"a": "1"}, **length)
    assert len(data_key["Plaintext"]) == size and data_key["KeyId"] == arn(key)
    opened = kms.decrypt(CiphertextBlob=data_key["CiphertextBlob"], EncryptionContext={"a": "1"})
    assert opened["Plaintext"] == data_key["Plaintext"]
    sealed = kms.generate_data_key_without_plaintext(KeyId=key, **length)
    assert "Plaintext" not in sealed
    assert len(kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"]) == size


@pytest.mark.parametrize("length", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
def test_a_data_key_has_one_length(kms, key, refused, length):
    told = ("ValidationException", "Please specify either number of bytes or key spec.")
    assert refused(kms.generate_data_key, KeyId=key, **length) == told


def test_random_bytes_are_random(kms, refused):
    drawn = {kms.generate_random(NumberOfBytes=1024)["Plaintext"] for _ in range(3)}
    assert len(drawn) == 3 and all(len(bytes_) == 1024 for bytes_ in drawn)
    assert refused(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    too_many = (
        "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: "
        "Member must have value less than or equal to 1024"
    )
    assert refused(kms.generate_random, NumberOfBytes=1025) == ("ValidationException", too_many)


def test_a_plaintext_has_a_size(kms, key, refused):
    longest = ("ValidationException", VIOLATION + "less than or equal to 4096")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x" * 4097) == longest
    shortest = ("ValidationException", VIOLATION + "greater than or equal to 1")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"") == shortest


def test_a_dry_run_does_everything_but_the_work(kms, key, arn, refused):
    fine = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == fine
    assert refused(kms.decrypt, CiphertextBlob=blob, DryRun=True) == fine
    assert refused(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key, DryRun=True) == fine
    assert refused(kms.generate_data_key, KeyId=key, KeySpec="AES_256", DryRun=True) == fine
    assert refused(kms.generate_data_key_without_plaintext, KeyId=key, KeySpec="AES_256", DryRun=True) == fine
    kms.disable_key(KeyId=key)
    disabled = ("DisabledException", f"{arn(key)} is disabled.")
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True) == disabled


def test_a_recipient_is_refused_and_no_plaintext_is_given(kms, key, refused):
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"\xa0"}
    code, _ = refused(kms.generate_random, NumberOfBytes=8, Recipient=recipient)
    assert code == "ValidationException"


def test_an_algorithm_has_to_fit(kms, key, refused):
    assert refused(kms.encrypt, KeyId=key, Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256") == (
        "InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.",
    )
