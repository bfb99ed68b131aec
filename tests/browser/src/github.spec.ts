// People sign in at GitHub, in a browser that keeps cookies as browsers do.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { OAuth2Server } from "oauth2-mock-server";
import { accessible, expect, picture, test as base } from "./fixture.ts";
import { FakeGitHub, person } from "./github.ts";
import { Server } from "./server.ts";

const ADMIN = { CK8S_FIRST_ADMIN: "Ada@Example.test" };

const test = base.extend<object, { github: FakeGitHub; place: Server }>({
  github: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const github = await FakeGitHub.start();
      await github.add(person(7, "ada"));
      await github.add(person(9, "linus"));
      await use(github);
      await github.stop();
    },
    { scope: "worker", timeout: 30_000 },
  ],
  /** A server whose people sign in at that GitHub; ada is its first admin. */
  place: [
    async ({ github }, use) => {
      const place = await Server.start({ ...github.env, ...ADMIN });
      await use(place);
      await place.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

async function signedIn(page: Page): Promise<void> {
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await expect(page.locator("[data-me=ada]")).toBeVisible();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
}

async function signedOut(page: Page): Promise<void> {
  await expect(page.getByRole("link", { name: "Sign in with GitHub" })).toBeVisible();
}

test("a person signs in, stays over reloads and in every tab, and signs out of all of them", async ({ context, page, github, place }) => {
  await github.browser("ada");
  await page.goto(`${place.ready.url}/#/runs?state=pending`);
  await signedOut(page);
  await accessible(page);
  await picture(page, "sign-in-github");

  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await expect(page.getByRole("heading", { name: "Authorize the app" })).toBeVisible();
  expect(page.url()).toContain(github.url);
  await page.getByRole("button", { name: "Authorize" }).click();
  await signedIn(page);
  expect(page.url()).toBe(`${place.ready.url}/#/runs?state=pending`);
  await accessible(page);
  await picture(page, "signed-in");

  // Nothing that a script can read, and nothing that other sites are sent.
  expect(await page.evaluate(() => [document.cookie, sessionStorage.length, localStorage.length])).toEqual(["", 0, 0]);
  const [cookie] = (await context.cookies(`${place.ready.url}/auth/refresh`)).filter(({ name }) => name === "ck8s_refresh");
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/auth" });

  await page.reload();
  await signedIn(page);
  const second = await context.newPage();
  await second.goto(place.ready.url);
  await signedIn(second);
  // A refresh token works once: tabs that come at the same time must not clash.
  const third = await context.newPage();
  await Promise.all([page.reload(), second.reload(), third.goto(place.ready.url)]);
  await Promise.all([page, second, third].map(signedIn));

  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(second.getByText("You are signed out.")).toBeVisible();
  await expect(page.getByText("You signed out in another tab.")).toBeVisible();
  await expect(third.getByText("You signed out in another tab.")).toBeVisible();
  await page.reload();
  await signedOut(page);

  // Who has agreed once is not asked again, and the tabs that wait come with it.
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await signedIn(page);
});

test("the session is renewed before its token ends, and the page goes on", async ({ page, github, place }) => {
  await github.browser("ada");
  await page.clock.install();
  await page.goto(place.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  if (page.url().startsWith(github.url)) await page.getByRole("button", { name: "Authorize" }).click();
  await signedIn(page);
  const renewed = page.waitForResponse((response) => response.url().endsWith("/auth/refresh"));
  await page.clock.fastForward("14:30");
  expect((await renewed).status()).toBe(200);
  await signedIn(page);
});

test("a page stays live over the ends of its tokens", async ({ page, github }) => {
  test.setTimeout(150_000);
  await github.browser("ada");
  const place = await Server.start({ ...github.env, ...ADMIN, CK8S_ACCESS_TOKEN_TTL_S: "8" });
  try {
    let renewals = 0;
    page.on("response", (response) => {
      if (response.url().endsWith("/auth/refresh") && response.status() === 200) renewals += 1;
    });
    await page.goto(place.ready.url);
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    if (page.url().startsWith(github.url)) await page.getByRole("button", { name: "Authorize" }).click();
    await signedIn(page);
    await page.evaluate(() => {
      const seen: string[] = [];
      const look = (): void => {
        for (const sign of document.querySelectorAll("[data-live]")) seen.push(sign.getAttribute("data-live") ?? "");
      };
      new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
      look();
      Object.assign(window, { seen });
    });
    const before = renewals;
    await expect.poll(() => renewals, { timeout: 60_000 }).toBeGreaterThanOrEqual(before + 3);
    expect(await place.label("Comes after three tokens", 301)).toBe(202);
    await expect(page.getByRole("link", { name: "Comes after three tokens", exact: true })).toBeVisible();
    const seen = await page.evaluate(() => [...new Set((window as unknown as { seen: string[] }).seen)]);
    expect(seen).not.toContain("reconnecting");
    expect(seen).not.toContain("ended");
    await signedIn(page);
  } finally {
    await place.stop();
  }
});

test("who is not allowed sees a page that says so, and the way back", async ({ page, github, place }) => {
  await github.browser("linus");
  await page.goto(place.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  const answered = page.waitForResponse((response) => response.url().includes("/auth/github/callback"));
  await page.getByRole("button", { name: "Authorize" }).click();
  expect((await answered).status()).toBe(403);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("body")).not.toContainText("ada@");
  await accessible(page);
  await picture(page, "sign-in-refused");
  await page.emulateMedia({ colorScheme: "dark" });
  await accessible(page);
  await picture(page, "sign-in-refused-dark");
  await page.goto(place.ready.url);
  await signedOut(page);
});

test("who is a member of nothing is told so, and sees a project as soon as they are", async ({ page, github, place }) => {
  await github.add(person(11, "barbara"));
  await github.browser("barbara");
  await place.cli("user", "add", "barbara@example.test");
  await page.goto(place.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.getByRole("button", { name: "Authorize" }).click();
  await expect(page.getByRole("heading", { name: "No projects yet" })).toBeVisible();
  await expect(page.locator("[data-me=barbara]")).toBeVisible();
  await accessible(page);
  await picture(page, "no-projects");
  await page.getByRole("button", { name: "Look again" }).click();
  await expect(page.getByRole("heading", { name: "No projects yet" })).toBeVisible();

  await place.cli("member", "add", place.ready.demo_project, "barbara@example.test", "--role", "read");
  await expect(async () => {
    await page.getByRole("button", { name: "Look again" }).click({ timeout: 1_000 });
    await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible({ timeout: 1_000 });
  }).toPass();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
  expect(await place.label("Seen by a reader", 401)).toBe(202);
  await expect(page.getByRole("link", { name: "Seen by a reader", exact: true })).toBeVisible();
});

test("who says no at GitHub comes back to a page that says so", async ({ page, github, place }) => {
  await github.add(person(10, "margaret"));
  await github.browser("margaret");
  await page.goto(place.ready.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  expect(page.url()).toContain(place.ready.url);
  await accessible(page);
  await picture(page, "sign-in-canceled");
});

test("an authorization server that somebody else wrote will do", async ({ page }) => {
  test.setTimeout(150_000);
  const github = await FakeGitHub.start();
  await github.add(person(7, "ada"));
  await github.anyToken("ada");
  const other = new OAuth2Server(undefined, undefined, {
    endpoints: { authorize: "/login/oauth/authorize", token: "/login/oauth/access_token" },
  });
  await other.issuer.keys.generate("RS256");
  await other.start(0, "127.0.0.1");
  const { port } = other.address() as AddressInfo;
  const place = await Server.start({ ...github.env, ...ADMIN, CK8S_GITHUB_URL: `http://localhost:${port}` });
  try {
    const exchanged = once(other.service, "beforeResponse");
    await page.goto(place.ready.url);
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    await signedIn(page);
    await exchanged;
    await page.reload();
    await signedIn(page);
  } finally {
    await place.stop();
    await other.stop();
    await github.stop();
  }
});
