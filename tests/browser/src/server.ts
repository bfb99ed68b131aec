// A real server for the tests: `ck8s up` on a free port, in a directory of its own, stopped and removed at the end.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** Bounds the start of the server, with its database, on a slow machine; milliseconds. */
const START_TIMEOUT = 90_000;
/** Bounds its stop; milliseconds. */
const STOP_TIMEOUT = 20_000;
/** How often to look for the ready file; milliseconds. */
const POLL_INTERVAL = 50;

/** The contents of the ready file. */
interface ReadyFile {
  url: string;
  admin_url: string;
  admin_token: string;
  demo_project: string;
  demo_repository: { id: string; full_name: string; external_id: number };
  webhook_secret: string;
}

/** Returns what GitHub posts when the demo's label is set on an issue. */
function labeledPayload(title: string, number: number): object {
  const payload = JSON.parse(readFileSync(join(ROOT, "docs/examples/issues.labeled.json"), "utf8")) as { issue: object };
  const url = `https://github.com/demo/demo/issues/${number}`;
  return { ...payload, issue: { ...payload.issue, title, number, html_url: url } };
}

/** Returns a port that is free now. It is fixed, because a restarted server must have the same address. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** A server of the tests. */
export class Server {
  private child: ChildProcess | undefined;
  private readyFile: ReadyFile | undefined;

  private constructor(
    private readonly binary: string,
    private readonly dir: string,
    private readonly port: number,
    private readonly env: Record<string, string>,
  ) {}

  /** The contents of the ready file. */
  get ready(): ReadyFile {
    if (this.readyFile === undefined) throw new Error("the server does not run");
    return this.readyFile;
  }

  /** Starts a server in a new directory, with these settings, and waits until it is ready. */
  static async start(env: Record<string, string> = {}): Promise<Server> {
    const binary = resolve(ROOT, process.env["CK8S_BIN"] ?? "target/debug/ck8s");
    if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p ck8s, or set CK8S_BIN`);
    const dir = mkdtempSync(join(tmpdir(), "ck8s-browser-"));
    // PostgreSQL never runs as root, and its own user must be able to reach its directory.
    chmodSync(dir, 0o755);
    const server = new Server(binary, dir, await freePort(), env);
    await server.startUp();
    return server;
  }

  /** Starts it for the first time or again, and waits until it is ready. */
  async startUp(): Promise<void> {
    const readyFile = join(this.dir, "ready.json");
    rmSync(readyFile, { force: true });
    const inherited = Object.entries(process.env).filter(([name]) => name !== "DATABASE_URL" && (!name.startsWith("CK8S_") || name === "CK8S_PG_BIN"));
    const listen = `127.0.0.1:${this.port}`;
    const child = spawn(this.binary, ["up", "--data-dir", join(this.dir, "data"), "--listen", listen, "--ready-file", readyFile], {
      env: { ...Object.fromEntries(inherited), CK8S_PUBLIC_URL: `http://${listen}`, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    const collect = (data: Buffer): void => {
      output = (output + data.toString()).slice(-8_000);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    this.child = child;
    const deadline = Date.now() + START_TIMEOUT;
    for (;;) {
      if (existsSync(readyFile)) {
        try {
          this.readyFile = JSON.parse(readFileSync(readyFile, "utf8")) as ReadyFile;
          return;
        } catch {
          // The file is incomplete: read it again.
        }
      }
      if (child.exitCode !== null || Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new Error(`ck8s up did not become ready (exit code ${child.exitCode}). Its last output:\n${output}`);
      }
      await new Promise((wake) => setTimeout(wake, POLL_INTERVAL));
    }
  }

  /** Stops it and keeps its data. */
  async shutDown(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, "exit");
    const killTimer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT);
    child.kill("SIGTERM");
    await exited;
    clearTimeout(killTimer);
  }

  /** Stops it and removes its data. */
  async stop(): Promise<void> {
    await this.shutDown();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Posts a signed webhook as GitHub does: an issue gets the demo's label. Returns the response's status. */
  async sendLabelEvent(title: string, number: number): Promise<number> {
    const body = JSON.stringify(labeledPayload(title, number));
    const signature = createHmac("sha256", this.ready.webhook_secret).update(body).digest("hex");
    const response = await fetch(`${this.ready.url}/api/v1/webhooks/github`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/browser-test",
        "x-github-event": "issues",
        "x-github-delivery": randomUUID(),
        "x-hub-signature-256": `sha256=${signature}`,
      },
      body,
    });
    await response.text();
    return response.status;
  }

  /** Runs the command line as the admin. Returns what it prints. */
  async cli(...args: string[]): Promise<string> {
    const env = { ...process.env, CK8S_URL: this.ready.url, CK8S_TOKEN: this.ready.admin_token };
    const { stdout } = await promisify(execFile)(this.binary, args, { env });
    return stdout;
  }

  /** Sets the number of slots of the demo project; with 0 its runs wait. */
  async setSlots(count: number): Promise<void> {
    await this.cli("slot", "set", this.ready.demo_project, String(count));
  }
}
