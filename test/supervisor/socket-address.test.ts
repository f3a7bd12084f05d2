import assert from "node:assert/strict";
import { test } from "node:test";
import { unixAddress } from "#src/memory/index.js";
import { addressText, tcpAddress } from "#src/supervisor/socket-address.js";

test("a socket address has the kernel's layout", () => {
  assert.equal(
    Buffer.from(tcpAddress("127.0.0.1", 8080)).toString("hex"),
    "02001f907f0000010000000000000000",
  );
  assert.equal(
    Buffer.from(tcpAddress("2001:db8::ff", 443)).toString("hex"),
    "0a0001bb0000000020010db80000000000000000000000ff00000000",
  );
  assert.equal(Buffer.from(unixAddress("/a")).toString("hex"), "01002f6100");
});

test("an address in words is what was asked for", () => {
  for (const [host, shown] of [
    ["0.0.0.0", "0.0.0.0"],
    ["::", "[::]"],
    ["::1", "[::1]"],
    ["2001:db8::1:0:0:1", "[2001:db8::1:0:0:1]"],
    ["::ffff:1.2.3.4", "[::ffff:102:304]"],
  ] as const) {
    assert.equal(addressText(tcpAddress(host, 65535)), `${shown}:65535`);
  }
  assert.equal(addressText(unixAddress("/run/app.sock")), "/run/app.sock");
});
