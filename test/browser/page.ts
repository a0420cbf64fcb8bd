// Pages of the browser tests.
import type { Browser, Page } from "puppeteer-core";
import { expect } from "vitest";

/** Works on a fresh page, which must not complain. */
export async function withPage<T>(browser: Browser, address: string, work: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // The browser asks for an icon on its own.
    const ignored = message.location().url?.endsWith("favicon.ico");
    if (["error", "warn"].includes(message.type()) && !ignored) complaints.push(message.text());
  });
  try {
    await page.goto(address);
    const result = await work(page);
    expect(complaints).toEqual([]);
    return result;
  } finally {
    await page.close();
  }
}
