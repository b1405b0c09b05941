// The AWS SDK for JavaScript against the binary: starts it, uses it, stops it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import {
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  DisabledException,
  EncryptCommand,
  GenerateDataKeyCommand,
  InvalidCiphertextException,
  KMSClient,
  NotFoundException,
  paginateListKeys,
} from "@aws-sdk/client-kms";

const credentials = { accessKeyId: "AKIACLIENTSOFTRENT00", secretAccessKey: "a-secret-that-is-used-in-tests-only-0000" };
const directory = mkdtempSync(join(tmpdir(), "trent-"));
let server;
let endpoint;

function client(settings = {}) {
  return new KMSClient({ endpoint, region: "eu-central-1", credentials, maxAttempts: 1, ...settings });
}

async function createKey(kms) {
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({ Description: "of JavaScript" }));
  return KeyMetadata;
}

before(async () => {
  const environment = {
    PATH: process.env.PATH,
    TRENT_BOOTSTRAP_ACCESS_KEY_ID: credentials.accessKeyId,
    TRENT_BOOTSTRAP_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const words = ["serve", "--account-id", "111122223333", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"];
  server = spawn(process.env.TRENT_BINARY, words, {
    cwd: directory,
    env: environment,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    const found = /\bready\b.*?127\.0\.0\.1:(\d+)/.exec(line);
    if (found) {
      endpoint = `http://127.0.0.1:${found[1]}`;
      return;
    }
  }
  throw new Error("trent ended before it was ready");
});

after(async () => {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
  rmSync(directory, { recursive: true });
});

test("what was encrypted is decrypted", async () => {
  const kms = client();
  const key = await createKey(kms);
  const EncryptionContext = { purpose: "test" };
  const Plaintext = new TextEncoder().encode("hello");
  const sealed = await kms.send(new EncryptCommand({ KeyId: key.KeyId, Plaintext, EncryptionContext }));
  assert.equal(sealed.KeyId, key.Arn);
  const opened = await kms.send(new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob, EncryptionContext }));
  assert.deepEqual(Buffer.from(opened.Plaintext), Buffer.from("hello"));
  const other = new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob });
  await assert.rejects(kms.send(other), InvalidCiphertextException);
});

test("a data key comes clear and sealed", async () => {
  const kms = client();
  const { KeyId } = await createKey(kms);
  const made = await kms.send(new GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" }));
  const opened = await kms.send(new DecryptCommand({ CiphertextBlob: made.CiphertextBlob, KeyId }));
  assert.equal(made.Plaintext.length, 32);
  assert.deepEqual(opened.Plaintext, made.Plaintext);
});

test("errors have their types", async () => {
  const kms = client();
  const { KeyId, Arn } = await createKey(kms);
  await kms.send(new DisableKeyCommand({ KeyId }));
  const encrypt = new EncryptCommand({ KeyId, Plaintext: new Uint8Array([1]) });
  await assert.rejects(kms.send(encrypt), (error) => {
    return error instanceof DisabledException && error.message === `${Arn} is disabled.`;
  });
  await assert.rejects(kms.send(new DescribeKeyCommand({ KeyId: "alias/nobody" })), NotFoundException);
});

test("keys are listed page by page", async () => {
  const kms = client({ region: "eu-javascript-1" });
  const created = [];
  for (let number = 0; number < 5; number += 1) created.push((await createKey(kms)).KeyId);
  const listed = [];
  for await (const page of paginateListKeys({ client: kms, pageSize: 2 }, {})) {
    listed.push(...page.Keys.map((key) => key.KeyId));
  }
  assert.deepEqual(listed.sort(), created.sort());
});

test("a wrong secret is refused", async () => {
  const kms = client({ credentials: { ...credentials, secretAccessKey: "wrong" } });
  await assert.rejects(createKey(kms), { name: "InvalidSignatureException" });
});
