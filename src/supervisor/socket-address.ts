import { isIPv6 } from "node:net";
import { AF } from "../memory/index.ts";

/** A `sockaddr_in` or `sockaddr_in6` of a numeric address. */
export function tcpAddress(host: string, port: number): Uint8Array {
  const address = Buffer.alloc(isIPv6(host) ? 28 : 16);
  address.writeUInt16LE(isIPv6(host) ? AF.inet6 : AF.inet, 0);
  address.writeUInt16BE(port, 2);
  if (isIPv6(host)) address.set(ipv6Bytes(host), 8);
  else address.set(host.split(".").map(Number), 4);
  return address;
}

/** The address in words: `0.0.0.0:8080`, `[::]:8080`, or a path. */
export function addressText(address: Uint8Array): string {
  const bytes = Buffer.from(address);
  const family = bytes.readUInt16LE(0);
  if (family === AF.unix) return bytes.toString("utf8", 2).replace(/\0.*$/s, "");
  const port = bytes.readUInt16BE(2);
  if (family === AF.inet) return `${bytes.subarray(4, 8).join(".")}:${port}`;
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(8 + 2 * index).toString(16));
  return `[${new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1)}]:${port}`;
}

function ipv6Bytes(host: string): number[] {
  // The URL parser turns an embedded IPv4 address into groups and leaves one "::" at most.
  const text = new URL(`http://[${host.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const [first, last] = [groups(head), tail === undefined ? [] : groups(tail)];
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return all.flatMap((group) => [group >> 8, group & 0xff]);
}
