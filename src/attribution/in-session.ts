// What most runs have in common: programs are built, and what a session holds is freed, whatever happens.
import type { Device } from "../tensor/device.ts";
import type { Program } from "../compiler/program.ts";
import { openSession, type Session } from "./session.ts";
import type { RunOptions } from "./types.ts";

/** Builds programs, and runs `work` with a session that is closed at its end. */
export async function inSession<T>(
  { device, options }: { readonly device: Device; readonly options: RunOptions },
  programs: readonly Program[],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const session = openSession(device, options);
  try {
    await session.ready(programs);
    return await device.withErrorScope("attribution", () => work(session));
  } finally {
    session.close();
  }
}
