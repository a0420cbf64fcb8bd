// A device to compute on; on a Debian system without any Vulkan driver, the driver is installed first.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { openDevice, type Device } from "../tensor/device.ts";
import { AumannError, NoAdapterError } from "../tensor/errors.ts";

const PACKAGES = ["chromium", "libvulkan1"];

/**
 * Opens a device.
 * @param note says what is about to be installed, before it is
 * @throws NoAdapterError, in one sentence, where nothing was found and nothing can be installed
 */
export async function openAnyDevice(note: (text: string) => void): Promise<Device> {
  try {
    return await openDevice();
  } catch (error) {
    // A cause is that of a missing npm package, which no driver mends.
    if (!(error instanceof NoAdapterError) || error.cause !== undefined) throw error;
    if (!(await installPackages("no Vulkan driver was found", note))) throw error;
    return await openDevice();
  }
}

/** Installs the browser and its software driver where that is possible: on Debian, as root. False where it is not. */
export async function installPackages(because: string, note: (text: string) => void): Promise<boolean> {
  if (!canInstall()) return false;
  note(
    `${because}: installing Debian's ${PACKAGES.join(" and ")} with apt-get, ` +
      "whose software driver SwiftShader computes on the CPU (a few minutes, once)",
  );
  await aptGet(["update", "-q"]);
  await aptGet(["install", "-y", "-q", "--no-install-recommends", ...PACKAGES]);
  return true;
}

function canInstall(): boolean {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  // Who names drivers does not want another.
  if (VK_DRIVER_FILES !== undefined || VK_ICD_FILENAMES !== undefined) return false;
  return process.platform === "linux" && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get");
}

async function aptGet(args: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const child = spawn("apt-get", args, { env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => (said += bytes.toString()));
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  if (code === 0) return;
  const reason = /^E: (.*)$/m.exec(said)?.[1] ?? `exit status ${code}`;
  throw new AumannError(
    `apt-get ${args[0]} failed (${reason}); install ${PACKAGES.join(" and ")} by hand, or the Vulkan driver of your GPU`,
  );
}
