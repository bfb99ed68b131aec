// The fixtures of all tests: one server for all, a signed-in page, and checks for errors and accessibility.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";
import type { AxeResults } from "axe-core";
import { Server } from "./server.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The fixtures of a test. */
interface Fixtures {
  /** A page that is signed in with the admin's token and shows the runs. */
  console: Page;
  /**
   * The errors that pages have reported, refused scripts and styles among them. If there are any, the test fails at its
   * end.
   */
  pageErrors: string[];
}

export const test = base.extend<Fixtures, { server: Server }>({
  server: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],
  pageErrors: [
    async ({ context }, use) => {
      const pageErrors: string[] = [];
      context.on("weberror", (error) => pageErrors.push(String(error.error())));
      context.on("console", (message) => {
        if (/Content.Security.Policy/i.test(message.text())) pageErrors.push(message.text());
      });
      await use(pageErrors);
      expect(pageErrors).toEqual([]);
    },
    { auto: true },
  ],
  console: async ({ page, server }, use) => {
    await signIn(page, server);
    await use(page);
  },
});

export { expect };

/** Signs in with the admin's token, as a person does. */
export async function signIn(page: Page, server: Server): Promise<void> {
  await page.goto(server.ready.url);
  await page.getByLabel("Token").fill(server.ready.admin_token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
}

/** Fails if axe-core finds a problem on the page. */
export async function expectAccessible(page: Page): Promise<void> {
  // It is evaluated, not added as a script: the page's policy forbids foreign scripts.
  await page.evaluate(AXE);
  const results = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
    return axe.run();
  });
  expect(results.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
}

/** Takes a screenshot for people: test-results/screenshots/<name>.png. */
export async function screenshot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join("test-results", "screenshots", `${name}.png`) });
}
