// What every test starts from: one server for all of them, a signed-in page, and a look for what assistive technology would stumble over.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test as base, expect, type Page } from "@playwright/test";
import type { AxeResults } from "axe-core";
import { Server } from "./server.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What tests may ask for. */
interface Fixtures {
  /** A page that is signed in with the admin's token and shows the runs. */
  console: Page;
  /** Fails the test at its end if a page has reported an error, a refused script or style among them. */
  faults: string[];
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
  faults: [
    async ({ context }, use) => {
      const faults: string[] = [];
      context.on("weberror", (error) => faults.push(String(error.error())));
      context.on("console", (message) => {
        if (/Content.Security.Policy/i.test(message.text())) faults.push(message.text());
      });
      await use(faults);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
  console: async ({ page, server }, use) => {
    await signIn(page, server);
    await use(page);
  },
});

export { expect };

/** Signs in with the admin's token, as a person would. */
export async function signIn(page: Page, server: Server): Promise<void> {
  await page.goto(server.ready.url);
  await page.getByLabel("Token").fill(server.ready.admin_token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Runs" })).toBeVisible();
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
}

/** Fails if axe-core finds anything on the page as it is. */
export async function accessible(page: Page): Promise<void> {
  // Evaluated, not added as a script: the page's policy forbids scripts that it did not bring.
  await page.evaluate(AXE);
  const results = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: () => Promise<AxeResults> } };
    return axe.run();
  });
  expect(results.violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(" ")}`)).toEqual([]);
}

/** Takes a picture for people: test-results/screenshots/<name>.png. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join("test-results", "screenshots", `${name}.png`) });
}
