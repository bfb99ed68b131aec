// Signing in by a link, which works once, and by a token, which works while it is valid.
import { expectAccessible, expect, screenshot, signIn, test } from "./fixture.ts";

test("a sign-in link works once, and its code is removed from the address", async ({ browser, page, server }) => {
  const redeemed = page.waitForResponse((response) => response.url().endsWith("/auth/link"));
  await page.goto(server.ready.admin_url);
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
  expect(page.url()).toBe(`${server.ready.url}/`);
  await expectAccessible(page);
  const { access_token: token } = (await (await redeemed).json()) as { access_token: string };

  // The session survives a reload, and no script can read it.
  await page.reload();
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  expect(await page.evaluate(() => [document.cookie, sessionStorage.length, localStorage.length])).toEqual(["", 0, 0]);

  const stranger = await browser.newContext();
  const second = await stranger.newPage();
  await second.goto(server.ready.admin_url);
  await expect(second.getByRole("heading", { name: "This link no longer works" })).toBeVisible();
  expect(second.url()).toBe(`${server.ready.url}/`);
  await expectAccessible(second);
  await screenshot(second, "link-used");
  await stranger.close();

  // A used link does not end an existing session.
  await page.goto(server.ready.admin_url);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();

  // Signing out ends the session at the server, with all its access tokens.
  const signedOut = page.waitForResponse((response) => response.url().endsWith("/auth/sign-out"));
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByText("You are signed out.")).toBeVisible();
  expect((await signedOut).status()).toBe(204);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  // A server may accept an ended token for another second; the session that it opens then ends by itself.
  await expect(page.getByText(/does not know this token|Your session has ended/)).toBeVisible();
  await expectAccessible(page);
  await page.reload();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("an invalid token is refused with a message", async ({ page, server }) => {
  await page.goto(server.ready.url);
  await screenshot(page, "sign-in");
  await expectAccessible(page);
  for (const bad of ["nonsense", `ck8s_adm_${"A".repeat(43)}`]) {
    await page.getByLabel("Token").fill(bad);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("does not know this token");
  }
});

test("a session ends when its token is revoked while a page is open", async ({ page, server }) => {
  const made = JSON.parse(await server.cli("token", "create", "browser", "--kind", "admin", "--output", "json")) as { secret: string };
  await page.goto(server.ready.url);
  await page.getByLabel("Token").fill(made.secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await server.cli("token", "revoke", "browser");
  await expect(page.getByText("Your session has ended")).toBeVisible();
});

test("a second tab shares the session of the first", async ({ context, page, server }) => {
  await signIn(page, server);
  const second = await context.newPage();
  await second.goto(server.ready.url);
  await expect(second.getByRole("heading", { name: "Runs" })).toBeVisible();
  await second.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByText("You signed out in another tab.")).toBeVisible();
});
