// Signing in at GitHub, in a browser that keeps cookies as browsers do.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { OAuth2Server } from "oauth2-mock-server";
import { expectAccessible, expect, screenshot, signIn, test as base } from "./fixture.ts";
import { FakeGitHub, person } from "./github.ts";
import { Server } from "./server.ts";

const ADMIN = { CK8S_FIRST_ADMIN: "Ada@Example.test" };

const test = base.extend<object, { github: FakeGitHub; instance: Server }>({
  github: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const github = await FakeGitHub.start();
      await github.addPerson(person(7, "ada"));
      await github.addPerson(person(9, "linus"));
      await use(github);
      await github.stop();
    },
    { scope: "worker", timeout: 30_000 },
  ],
  /** A server whose people sign in at that GitHub. Its first admin is ada. */
  instance: [
    async ({ github }, use) => {
      const instance = await Server.start({ ...github.env, ...ADMIN });
      await use(instance);
      await instance.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

async function expectSignedIn(page: Page): Promise<void> {
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await expect(page.locator("[data-me=ada]")).toBeVisible();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
}

async function expectSignedOut(page: Page): Promise<void> {
  await expect(page.getByRole("link", { name: "Sign in with GitHub" })).toBeVisible();
}

test("a person signs in, stays signed in after reloads and in every tab, and signs out of all tabs", async ({ context, page, github, instance }) => {
  await github.signInBrowser("ada");
  await page.goto(`${instance.ready.url}/#/runs?state=pending`);
  await expectSignedOut(page);
  await expectAccessible(page);
  await screenshot(page, "sign-in-github");

  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await expect(page.getByRole("heading", { name: "Authorize the app" })).toBeVisible();
  expect(page.url()).toContain(github.url);
  await page.getByRole("button", { name: "Authorize" }).click();
  await expectSignedIn(page);
  expect(page.url()).toBe(`${instance.ready.url}/#/runs?state=pending`);
  await expectAccessible(page);
  await screenshot(page, "signed-in");

  // No script can read the credential, and it is not sent to other sites.
  expect(await page.evaluate(() => [document.cookie, sessionStorage.length, localStorage.length])).toEqual(["", 0, 0]);
  const [cookie] = (await context.cookies(`${instance.ready.url}/auth/refresh`)).filter(({ name }) => name === "ck8s_refresh");
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/auth" });

  await page.reload();
  await expectSignedIn(page);
  const second = await context.newPage();
  await second.goto(instance.ready.url);
  await expectSignedIn(second);
  // A refresh token works once: tabs that load at the same time must not clash.
  const third = await context.newPage();
  await Promise.all([page.reload(), second.reload(), third.goto(instance.ready.url)]);
  await Promise.all([page, second, third].map(expectSignedIn));

  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(second.getByText("You are signed out.")).toBeVisible();
  await expect(page.getByText("You signed out in another tab.")).toBeVisible();
  await expect(third.getByText("You signed out in another tab.")).toBeVisible();
  await page.reload();
  await expectSignedOut(page);

  // A person who has authorized the app once is not asked again.
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await expectSignedIn(page);
});

test("a session is renewed before its token expires, and the page stays live", async ({ page, github, instance }) => {
  await github.signInBrowser("ada");
  await page.clock.install();
  await page.goto(instance.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  if (page.url().startsWith(github.url)) await page.getByRole("button", { name: "Authorize" }).click();
  await expectSignedIn(page);
  const renewed = page.waitForResponse((response) => response.url().endsWith("/auth/refresh"));
  await page.clock.fastForward("14:30");
  expect((await renewed).status()).toBe(200);
  await expectSignedIn(page);
});

test("a page stays live when its tokens expire", async ({ page, github }) => {
  test.setTimeout(150_000);
  await github.signInBrowser("ada");
  const instance = await Server.start({ ...github.env, ...ADMIN, CK8S_ACCESS_TOKEN_TTL_S: "8" });
  try {
    let renewals = 0;
    page.on("response", (response) => {
      if (response.url().endsWith("/auth/refresh") && response.status() === 200) renewals += 1;
    });
    await page.goto(instance.ready.url);
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    if (page.url().startsWith(github.url)) await page.getByRole("button", { name: "Authorize" }).click();
    await expectSignedIn(page);
    await page.evaluate(() => {
      const seen: string[] = [];
      const collect = (): void => {
        for (const sign of document.querySelectorAll("[data-live]")) seen.push(sign.getAttribute("data-live") ?? "");
      };
      new MutationObserver(collect).observe(document.body, { subtree: true, childList: true, attributes: true });
      collect();
      Object.assign(window, { seen });
    });
    const before = renewals;
    await expect.poll(() => renewals, { timeout: 60_000 }).toBeGreaterThanOrEqual(before + 3);
    expect(await instance.sendLabelEvent("Comes after three tokens", 301)).toBe(202);
    await expect(page.getByRole("link", { name: "Comes after three tokens", exact: true })).toBeVisible();
    const seen = await page.evaluate(() => [...new Set((window as unknown as { seen: string[] }).seen)]);
    expect(seen).not.toContain("reconnecting");
    expect(seen).not.toContain("ended");
    await expectSignedIn(page);
  } finally {
    await instance.stop();
  }
});

test("a person who is not allowed to sign in sees a page that says so, and can go back", async ({ page, github, instance }) => {
  await github.signInBrowser("linus");
  await page.goto(instance.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  const refused = page.waitForResponse((response) => response.url().includes("/auth/github/callback"));
  await page.getByRole("button", { name: "Authorize" }).click();
  expect((await refused).status()).toBe(403);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("body")).not.toContainText("ada@");
  await expectAccessible(page);
  await screenshot(page, "sign-in-refused");
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await screenshot(page, "sign-in-refused-dark");
  await page.goto(instance.ready.url);
  await expectSignedOut(page);
});

test("a person without projects sees a page that says so, and the runs once they are a member", async ({ page, github, instance }) => {
  await github.addPerson(person(11, "barbara"));
  await github.signInBrowser("barbara");
  await instance.cli("user", "add", "barbara@example.test");
  await page.goto(instance.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.getByRole("button", { name: "Authorize" }).click();
  await expect(page.getByRole("heading", { name: "No projects yet" })).toBeVisible();
  await expect(page.locator("[data-me=barbara]")).toBeVisible();
  await expectAccessible(page);
  await screenshot(page, "no-projects");
  await page.getByRole("button", { name: "Look again" }).click();
  await expect(page.getByRole("heading", { name: "No projects yet" })).toBeVisible();

  await instance.cli("member", "add", instance.ready.demo_project, "barbara@example.test", "--role", "read");
  await expect(async () => {
    await page.getByRole("button", { name: "Look again" }).click({ timeout: 1_000 });
    await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
  expect(await instance.sendLabelEvent("Seen by a reader", 401)).toBe(202);
  await expect(page.getByRole("link", { name: "Seen by a reader", exact: true })).toBeVisible();
});

test("a person who cancels at GitHub returns to a page that says so", async ({ page, github, instance }) => {
  await github.addPerson(person(10, "margaret"));
  await github.signInBrowser("margaret");
  await page.goto(instance.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  expect(page.url()).toContain(instance.ready.url);
  await expectAccessible(page);
  await screenshot(page, "sign-in-canceled");
});

test("people can sign in at an authorization server that somebody else wrote", async ({ page }) => {
  test.setTimeout(150_000);
  const github = await FakeGitHub.start();
  await github.addPerson(person(7, "ada"));
  await github.acceptAnyToken("ada");
  const other = new OAuth2Server(undefined, undefined, {
    endpoints: { authorize: "/login/oauth/authorize", token: "/login/oauth/access_token" },
  });
  await other.issuer.keys.generate("RS256");
  await other.start(0, "127.0.0.1");
  const { port } = other.address() as AddressInfo;
  const instance = await Server.start({ ...github.env, ...ADMIN, CK8S_GITHUB_URL: `http://localhost:${port}` });
  try {
    const exchanged = once(other.service, "beforeResponse");
    await page.goto(instance.ready.url);
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    await expectSignedIn(page);
    await exchanged;
    await page.reload();
    await expectSignedIn(page);
  } finally {
    await instance.stop();
    await other.stop();
    await github.stop();
  }
});

test("a run's page says what was not known when its trigger matched", async ({ page, github, instance }, info) => {
  const file = info.outputPath("token");
  const services = 'version: 1\ntriggers: [{ name: docs, on: { event: push, paths: "docs/**" }, run: { command: "true" } }]\n';
  // Nothing that ck8s itself does triggers anything, so it acts as somebody else.
  await github.addPerson(person(8, "robot"));
  writeFileSync(file, await github.addRepository(501, "acme/docs", ["robot", "ada"], { ".ck8s/services.yaml": services }));
  await instance.cli("repo", "add", "acme/docs", "--project", instance.ready.demo_project, "--access-token-file", file);
  // GitHub has nothing to compare the first push of a repository with.
  const head = { id: "a".repeat(40), message: "Begins", added: ["src/main.rs"], removed: [], modified: [] };
  const repository = { id: 501, full_name: "acme/docs", default_branch: "main" };
  const push = { ref: "refs/heads/main", before: "0".repeat(40), after: head.id, head_commit: head, commits: [head], repository, sender: { login: "ada", id: 7, type: "User" } };
  expect(await github.sendWebhook(501, "push", push)).toEqual([202]);
  await signIn(page, instance);
  await page.getByRole("link", { name: "Begins", exact: true }).click();
  await expect(page.getByText("the provider names only 1 of the changed files")).toBeVisible();
  await expectAccessible(page);
});
