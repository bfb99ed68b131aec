// The server stops and comes back: the page says so, reconnects by itself, and has missed nothing.
import { expect, test } from "./fixture.ts";

test("after a restart of the server the list and a run's page continue where they were", async ({ console: page, context, server }) => {
  test.setTimeout(150_000);
  await server.setSlots(4);
  expect(await server.sendLabelEvent("Was there before", 201)).toBe(202);
  await expect(page.locator("tr", { hasText: "Was there before" }).locator("[data-state=succeeded]")).toBeVisible();
  const other = await context.newPage();
  await other.goto(`${server.ready.url}/`);
  await other.getByRole("link", { name: "Was there before", exact: true }).click();
  await expect(other.locator('[data-event="run.released"]')).toBeVisible();
  await page.evaluate(() => Object.assign(window, { marked: true }));

  await server.shutDown();
  await expect(page.locator("[data-live=reconnecting]").first()).toBeVisible();
  await expect(other.locator("[data-live=reconnecting]").first()).toBeVisible();
  await server.startUp();
  expect(await server.sendLabelEvent("Came afterwards", 202)).toBe(202);
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
  await expect(other.locator("[data-live=live]").first()).toBeVisible();
  await expect(page.locator("tr", { hasText: "Came afterwards" }).locator("[data-state=succeeded]")).toBeVisible();
  await expect(page.getByRole("link", { name: "Was there before", exact: true })).toHaveCount(1);
  await expect(other.locator("[data-event]")).toHaveCount(5);
  expect(await page.evaluate(() => "marked" in window)).toBe(true);
});
