// A webhook becomes a run, and the console shows it live: in the list, on its page, in its log, without a reload.
import type { Locator, Page } from "@playwright/test";
import { expectAccessible, expect, screenshot, test } from "./fixture.ts";

function row(page: Page, title: string): Locator {
  return page.locator("tr[data-run]", { has: page.getByRole("link", { name: title, exact: true }) });
}

/** Marks the page. A reload loses the mark. */
async function mark(page: Page): Promise<void> {
  await page.evaluate(() => Object.assign(window, { marked: true }));
}

async function isMarked(page: Page): Promise<boolean> {
  return page.evaluate(() => "marked" in window);
}

/** Records each new state that the selected element shows from now on. Returns what reads the record. */
async function recordStates(page: Page, selector: string): Promise<() => Promise<string[]>> {
  await page.evaluate((selector) => {
    const seen: string[] = [];
    const collect = (): void => {
      const text = document.querySelector(selector)?.getAttribute("data-state") ?? "";
      if (text !== "" && seen.at(-1) !== text) seen.push(text);
    };
    new MutationObserver(collect).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    collect();
    Object.assign(window, { seen });
  }, selector);
  return () => page.evaluate(() => (window as unknown as { seen: string[] }).seen);
}

test("the list shows live how a webhook's run goes from pending to running to succeeded", async ({ console: page, server }) => {
  await mark(page);
  await server.setSlots(0);
  expect(await server.sendLabelEvent("Shows itself live", 101)).toBe(202);
  const shown = row(page, "Shows itself live");
  await expect(shown.locator("[data-state=pending]")).toBeVisible();
  await expect(shown).toContainText("issues labeled #101 by octocat");
  await expect(shown).toContainText(server.ready.demo_project);
  await screenshot(page, "runs-pending");

  const id = (await shown.getAttribute("data-run")) ?? "";
  const states = await recordStates(page, `tr[data-run="${id}"] [data-state]`);
  await server.setSlots(4);
  await expect(shown.locator("[data-state=succeeded]")).toBeVisible();
  expect(await states()).toEqual(["pending", "running", "succeeded"]);
  expect(await isMarked(page)).toBe(true);
  await expectAccessible(page);
  await screenshot(page, "runs");
});

test("a run's page shows why it waits, its log while it grows, and its timeline", async ({ console: page, server }) => {
  await server.setSlots(0);
  expect(await server.sendLabelEvent("Has a page of its own", 102)).toBe(202);
  await page.getByRole("link", { name: "Has a page of its own", exact: true }).click();
  await mark(page);
  await expect(page.getByRole("heading", { name: "Has a page of its own" })).toBeVisible();
  const wait = page.getByRole("region", { name: "Why it waits" });
  await expect(wait).toContainText(/slot/i);
  await screenshot(page, "run-waits");
  await expectAccessible(page);

  await server.setSlots(4);
  const log = page.getByRole("log");
  await expect(log).toContainText("step 1 of 4");
  // The log arrives while it is written: the last line is still missing.
  await expect(page.locator(".standing [data-state=running]")).toBeVisible();
  expect(await log.textContent()).not.toContain("step 4 of 4");
  await screenshot(page, "run-live");
  await expect(wait).toBeHidden();
  await expect(log).toContainText("step 4 of 4");
  await expect(page.locator(".standing [data-state=succeeded]")).toBeVisible();
  await expect(page.locator(".standing")).toContainText("completed");
  for (const kind of ["run.created", "run.leased", "run.running", "run.finished", "run.released"]) {
    await expect(page.locator(`[data-event="${kind}"]`)).toHaveCount(1);
  }
  await expect(page.locator(".log [data-live=ended]")).toBeVisible();
  expect(await isMarked(page)).toBe(true);
  await expectAccessible(page);
  await screenshot(page, "run-succeeded");

  // After a reload the log comes from the store.
  await page.reload();
  await expect(page.getByRole("log")).toContainText("step 4 of 4");
  await expect(page.locator("[data-event]")).toHaveCount(5);

  // With the dark theme, and on a phone.
  await page.emulateMedia({ colorScheme: "dark" });
  await expectAccessible(page);
  await screenshot(page, "run-dark");
  await page.setViewportSize({ width: 390, height: 800 });
  await expectAccessible(page);
  await screenshot(page, "run-phone");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.goto(`${server.ready.url}/#/runs`);
  await expect(row(page, "Has a page of its own")).toBeVisible();
  await expectAccessible(page);
  await screenshot(page, "runs-phone");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
});

test("a run can be canceled after a confirmation, and run again", async ({ console: page, server }) => {
  await server.setSlots(4);
  await server.cli("run", "start", "--project", server.ready.demo_project, "--title", "Takes for ever", "--", "sh", "-c", "echo begun; sleep 300");
  await page.getByRole("link", { name: "Takes for ever", exact: true }).click();
  await expect(page.getByRole("log")).toContainText("begun");

  await page.getByRole("button", { name: "Cancel run" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toBeVisible();
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Keep it running" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.locator(".standing [data-state=running]")).toBeVisible();

  await page.getByRole("button", { name: "Cancel run" }).click();
  await dialog.getByLabel("Why").fill("It was a mistake");
  await screenshot(page, "run-cancel");
  await dialog.getByRole("button", { name: "Cancel the run" }).click();
  await expect(page.locator(".standing [data-state=canceled]")).toBeVisible();
  await expect(page.locator(".standing")).toContainText("canceled by somebody");
  await expect(page.locator('[data-event="run.released"]')).toHaveCount(1);
  await screenshot(page, "run-canceled");

  const before = page.url();
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page.locator(".standing [data-state=running]")).toBeVisible();
  expect(page.url()).not.toBe(before);
  await expect(page.getByRole("log")).toContainText("begun");
  await page.getByRole("button", { name: "Cancel run" }).click();
  await dialog.getByRole("button", { name: "Cancel the run" }).click();
  await expect(page.locator(".standing [data-state=canceled]")).toBeVisible();
});

test("a filtered list follows its filter while runs change", async ({ console: page, server }) => {
  await server.setSlots(0);
  expect(await server.sendLabelEvent("Leaves the filter", 103)).toBe(202);
  await page.getByRole("group", { name: "Filter" }).getByRole("link", { name: "pending" }).click();
  await expect(row(page, "Leaves the filter")).toBeVisible();
  expect(page.url()).toContain("state=pending");
  await server.setSlots(4);
  await expect(row(page, "Leaves the filter")).toHaveCount(0);
  await page.getByRole("group", { name: "Filter" }).getByRole("link", { name: "All" }).click();
  await expect(row(page, "Leaves the filter")).toBeVisible();
});

test("a missing run and a missing page say so", async ({ console: page, server }) => {
  await page.goto(`${server.ready.url}/#/runs/00000000-0000-7000-8000-000000000000`);
  await expect(page.getByRole("alert")).toContainText("There is no such run");
  await expectAccessible(page);
  await page.goto(`${server.ready.url}/#/nowhere`);
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
});

test("a run can be opened with the keyboard", async ({ console: page, server }) => {
  await server.setSlots(4);
  expect(await server.sendLabelEvent("Reached by keys", 104)).toBe(202);
  await expect(row(page, "Reached by keys")).toBeVisible();
  const link = page.getByRole("link", { name: "Reached by keys", exact: true });
  for (let presses = 0; presses < 40 && !(await link.evaluate((element) => element === document.activeElement)); presses += 1) {
    await page.keyboard.press("Tab");
  }
  await expect(link).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Reached by keys" })).toBeVisible();
  await expect(page.locator("main")).toBeFocused();
});

test("older runs are loaded page by page", async ({ console: page, server }) => {
  await server.setSlots(8);
  const titles = Array.from({ length: 54 }, (_, index) => `One of many ${index + 1}`);
  for (let from = 0; from < titles.length; from += 6) {
    const start = (title: string): Promise<string> => server.cli("run", "start", "--project", server.ready.demo_project, "--title", title, "--", "true");
    await Promise.all(titles.slice(from, from + 6).map(start));
  }
  // All of them appear without a reload.
  for (const title of titles) await expect(row(page, title)).toHaveCount(1);
  await page.reload();
  await expect(page.locator("tr[data-run]")).toHaveCount(50);
  await page.getByRole("button", { name: "Show older runs" }).click();
  for (const title of titles) await expect(row(page, title)).toHaveCount(1);
  expect(await page.locator("tr[data-run]").count()).toBeGreaterThan(50);
});
