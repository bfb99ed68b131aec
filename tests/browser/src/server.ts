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

/** How long the server may take to start on a slow machine, database included; milliseconds. */
const START = 90_000;
/** How long it may take to stop; milliseconds. */
const STOP = 20_000;
/** How often the ready file is looked for; milliseconds. */
const LOOK = 50;

/** What the ready file says. */
interface Ready {
  url: string;
  admin_url: string;
  admin_token: string;
  demo_project: string;
  demo_repository: { id: string; full_name: string; external_id: number };
  webhook_secret: string;
}

/** What GitHub would post when the demo's label is set on an issue. */
function labeled(title: string, number: number): object {
  const payload = JSON.parse(readFileSync(join(ROOT, "docs/examples/issues.labeled.json"), "utf8")) as { issue: object };
  const url = `https://github.com/demo/demo/issues/${number}`;
  return { ...payload, issue: { ...payload.issue, title, number, html_url: url } };
}

/** A port that is free now. A fixed one, because a server that comes back must be where it was. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** A server of the tests' own. */
export class Server {
  private child: ChildProcess | undefined;
  private found: Ready | undefined;

  private constructor(
    private readonly binary: string,
    private readonly dir: string,
    private readonly port: number,
    private readonly env: Record<string, string>,
  ) {}

  /** What the ready file says. */
  get ready(): Ready {
    if (this.found === undefined) throw new Error("the server does not run");
    return this.found;
  }

  /** Starts one in a new directory, with these settings, and waits until it is ready. */
  static async start(env: Record<string, string> = {}): Promise<Server> {
    const binary = resolve(ROOT, process.env["CK8S_BIN"] ?? "target/debug/ck8s");
    if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p ck8s, or set CK8S_BIN`);
    const dir = mkdtempSync(join(tmpdir(), "ck8s-browser-"));
    // PostgreSQL never runs as root: its own user must be able to reach its directory.
    chmodSync(dir, 0o755);
    const server = new Server(binary, dir, await freePort(), env);
    await server.up();
    return server;
  }

  /** Starts it, or starts it again, and waits until it is ready. */
  async up(): Promise<void> {
    const readyFile = join(this.dir, "ready.json");
    rmSync(readyFile, { force: true });
    const given = Object.entries(process.env).filter(([name]) => name !== "DATABASE_URL" && (!name.startsWith("CK8S_") || name === "CK8S_PG_BIN"));
    const listen = `127.0.0.1:${this.port}`;
    const child = spawn(this.binary, ["up", "--data-dir", join(this.dir, "data"), "--listen", listen, "--ready-file", readyFile], {
      env: { ...Object.fromEntries(given), CK8S_PUBLIC_URL: `http://${listen}`, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    const hear = (data: Buffer): void => {
      said = (said + data.toString()).slice(-8_000);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    this.child = child;
    const until = Date.now() + START;
    for (;;) {
      if (existsSync(readyFile)) {
        try {
          this.found = JSON.parse(readFileSync(readyFile, "utf8")) as Ready;
          return;
        } catch {
          // Half written: look again.
        }
      }
      if (child.exitCode !== null || Date.now() > until) {
        child.kill("SIGKILL");
        throw new Error(`ck8s up did not become ready (exit code ${child.exitCode}). Its last words:\n${said}`);
      }
      await new Promise((wake) => setTimeout(wake, LOOK));
    }
  }

  /** Stops it; its data stay. */
  async down(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = once(child, "exit");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP);
    child.kill("SIGTERM");
    await gone;
    clearTimeout(late);
  }

  /** Stops it and removes what it kept. */
  async stop(): Promise<void> {
    await this.down();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Posts a signed delivery as GitHub does: an issue gets the demo's label. Returns the status. */
  async label(title: string, number: number): Promise<number> {
    const body = JSON.stringify(labeled(title, number));
    const signature = createHmac("sha256", this.ready.webhook_secret).update(body).digest("hex");
    const answer = await fetch(`${this.ready.url}/api/v1/webhooks/github`, {
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
    await answer.text();
    return answer.status;
  }

  /** Runs the command line as the admin. Returns what it prints. */
  async cli(...args: string[]): Promise<string> {
    const env = { ...process.env, CK8S_URL: this.ready.url, CK8S_TOKEN: this.ready.admin_token };
    const { stdout } = await promisify(execFile)(this.binary, args, { env });
    return stdout;
  }

  /** Sets the demo project's slots; 0 makes its runs wait. */
  async slots(count: number): Promise<void> {
    await this.cli("slot", "set", this.ready.demo_project, String(count));
  }
}
