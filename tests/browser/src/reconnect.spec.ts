// The connection breaks: the page says so, comes back by itself, and has missed nothing.
import { expect, test } from "./fixture.ts";

test("after a break the list goes on from where it was", async ({ console: page, server }) => {
  await server.slots(4);
  await page.context().setOffline(true);
  await expect(page.locator("[data-live=reconnecting]").first()).toBeVisible();
  expect(await server.label("Came in the meantime", 201)).toBe(202);
  await expect(page.getByText("Came in the meantime")).toHaveCount(0);
  await page.context().setOffline(false);
  await expect(page.locator("[data-live=live]").first()).toBeVisible();
  await expect(page.getByRole("link", { name: "Came in the meantime", exact: true })).toBeVisible();
});
