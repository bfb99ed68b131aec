// A GitHub of the tests' own, as a process: `tests/examples/fake_github.rs`. The browser knows it as `localhost` and ck8s as 127.0.0.1, which are two
// sites: cookies travel between them as they do between github.com and an installation.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** What it says when it is ready. */
interface Said {
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

/** Somebody with one address, which is verified. */
export function person(id: number, login: string): Person {
  return { id, login, emails: [{ email: `${login}@example.test`, verified: true, primary: true }] };
}

/** One that runs. */
export class FakeGitHub {
  private constructor(
    private readonly child: ChildProcess,
    private readonly said: Said,
  ) {}

  /** Starts it; browsers may be sent back to any port of 127.0.0.1. */
  static async start(): Promise<FakeGitHub> {
    const binary = resolve(ROOT, process.env["CK8S_FAKE_GITHUB"] ?? "target/debug/examples/fake_github");
    if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p ck8s-tests --examples, or set CK8S_FAKE_GITHUB`);
    const child = spawn(binary, ["http://127.0.0.1/auth/github/callback"], { stdio: ["pipe", "pipe", "inherit"] });
    const [line] = (await once(createInterface(child.stdout), "line")) as [string];
    return new FakeGitHub(child, JSON.parse(line) as Said);
  }

  /** Where the browser finds it. */
  get url(): string {
    return this.said.url.replace("127.0.0.1", "localhost");
  }

  /** What `ck8s up` needs to know of it. */
  get env(): Record<string, string> {
    return {
      CK8S_GITHUB_URL: this.url,
      CK8S_GITHUB_API_URL: this.said.api_url,
      CK8S_GITHUB_CLIENT_ID: this.said.client_id,
      CK8S_GITHUB_CLIENT_SECRET: this.said.client_secret,
    };
  }

  /** Gives somebody an account. */
  async add(person: Person): Promise<void> {
    await this.tell("person", person);
  }

  /** The browser that comes is theirs. */
  async browser(login: string | null): Promise<void> {
    await this.tell("browser", { login });
  }

  /** The API takes any token for theirs: where another server makes the tokens. */
  async anyToken(login: string): Promise<void> {
    await this.tell("any-token", { login });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    const gone = once(this.child, "exit");
    this.child.stdin?.end();
    await gone;
  }

  private async tell(what: string, body: object): Promise<void> {
    const answer = await fetch(`${this.said.url}/_world/${what}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
  }
}
