// What the tests need beside npm packages: a Vulkan driver for Node, and a browser. On Debian as root, both are installed.
import { installPackages, openAnyDevice } from "../src/cli/driver.ts";
import { findBrowser } from "../test/browser/chrome.ts";

const note = (text: string): void => console.log(text);

const device = await openAnyDevice(note);
console.log(`device: ${device.info.description}`);
device.destroy();
try {
  console.log(`browser: ${findBrowser()}`);
} catch (error) {
  if (!(await installPackages("no browser was found", note))) throw error;
  console.log(`browser: ${findBrowser()}`);
}
// The driver keeps threads that would keep the process from ending.
process.exit();
