// What most runs have in common: programs are built, and what a session holds is freed, whatever happens.
import type { Device } from "../tensor/device.ts";
import type { Program } from "../compiler/program.ts";
import { Session } from "./session.ts";
import type { RunOptions } from "./types.ts";

/** Builds programs, and runs `work` with a session that is closed at its end. */
export async function inSession<T>(
  { device, options }: { readonly device: Device; readonly options: RunOptions },
  programs: readonly Program[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  await Promise.all(programs.map((program) => program.ready()));
  return device.withErrorScope("attribution", async () => {
    const session = new Session(device, options);
    try {
      return await work(session);
    } finally {
      session.close();
    }
  });
}
