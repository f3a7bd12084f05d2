// One service in the guest: `kstate` commands, and requests to its program.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { text } from "node:stream/consumers";

const cli = "/app/dist/cli/main.js";

export async function kstate(...args) {
  const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  return { status, output, errors };
}

export class Service {
  /** `kstate COMMAND --name NAME …`, which stays; resolves when its standard error matches. */
  static async start(name, args, pattern = / serves/) {
    const child = spawn(process.execPath, [cli, ...args], { stdio: ["ignore", "inherit", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8");
    await new Promise((resolve, reject) => {
      child.stderr.on("data", (chunk) => {
        process.stderr.write(chunk);
        errors += chunk;
        if (pattern.test(errors)) resolve();
      });
      child.once("close", () => reject(new Error(`${name} ended: ${errors}`)));
    });
    return new Service(name, child);
  }

  constructor(name, child) {
    this.name = name;
    this.child = child;
  }

  async status() {
    return JSON.parse((await kstate("status", "--name", this.name, "--json")).output);
  }

  async connect() {
    const [address] = (await this.status()).listeners;
    this.port = Number(/:(\d+)$/.exec(address)[1]);
    return this;
  }

  getJson(path) {
    return new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port: this.port, path, agent: false }, (response) => {
        text(response).then((body) => resolve(JSON.parse(body)), reject);
      }).once("error", reject);
    });
  }
}
