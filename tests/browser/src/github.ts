// The fake GitHub, as a process: `tests/examples/fake_github.rs`. The browser knows it as `localhost` and ck8s as
// 127.0.0.1, which are two sites: cookies travel between them as they do between github.com and an installation.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** What it prints when it is ready. */
interface ReadyLine {
  url: string;
  api_url: string;
  client_id: string;
  client_secret: string;
}

/** An account. */
interface Person {
  id: number;
  login: string;
  emails: { email: string; verified: boolean; primary: boolean }[];
}

/** Returns an account with one address, which is verified. */
export function person(id: number, login: string): Person {
  return { id, login, emails: [{ email: `${login}@example.test`, verified: true, primary: true }] };
}

/** A running fake GitHub. */
export class FakeGitHub {
  private constructor(
    private readonly child: ChildProcess,
    private readonly readyLine: ReadyLine,
  ) {}

  /** Starts it. It sends browsers back to any port of 127.0.0.1. */
  static async start(): Promise<FakeGitHub> {
    const binary = resolve(ROOT, process.env["CK8S_FAKE_GITHUB"] ?? "target/debug/examples/fake_github");
    if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p ck8s-tests --examples, or set CK8S_FAKE_GITHUB`);
    const child = spawn(binary, ["http://127.0.0.1/auth/github/callback"], { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    return new FakeGitHub(child, JSON.parse(line) as ReadyLine);
  }

  /** Its address for the browser. */
  get url(): string {
    return this.readyLine.url.replace("127.0.0.1", "localhost");
  }

  /** The settings of `ck8s up` for it. */
  get env(): Record<string, string> {
    return {
      CK8S_GITHUB_URL: this.url,
      CK8S_GITHUB_API_URL: this.readyLine.api_url,
      CK8S_GITHUB_CLIENT_ID: this.readyLine.client_id,
      CK8S_GITHUB_CLIENT_SECRET: this.readyLine.client_secret,
    };
  }

  /** Adds an account. */
  async addPerson(person: Person): Promise<void> {
    await this.post("person", person);
  }

  /** Signs the browser in to an account. */
  async signInBrowser(login: string | null): Promise<void> {
    await this.post("browser", { login });
  }

  /** Makes the API take any token for one of this account, where another server issues the tokens. */
  async acceptAnyToken(login: string): Promise<void> {
    await this.post("any-token", { login });
  }

  /** Adds a repository with these files. Returns a token of its first admin. */
  async addRepository(id: number, full_name: string, admins: string[], files: Record<string, string>): Promise<string> {
    return (await this.post("repository", { id, full_name, admins, files })).json() as Promise<string>;
  }

  /** Sends an event to the webhooks of a repository. Returns how they were answered. */
  async sendWebhook(repository: number, name: string, payload: object): Promise<number[]> {
    return (await this.post("webhook", { repository, name, payload })).json() as Promise<number[]>;
  }

  /** Stops it. */
  async stop(): Promise<void> {
    const exited = once(this.child, "exit");
    this.child.stdin?.end();
    await exited;
  }

  private async post(what: string, body: object): Promise<Response> {
    const response = await fetch(`${this.readyLine.url}/_world/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
    return response;
  }
}
