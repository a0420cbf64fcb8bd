// Paths that a file names are opened only inside its own folder.

/** Whether a path is relative and stays in its folder: on any system, and as a part of any address. */
export function isInside(path: string): boolean {
  const parts = path.split(/[/\\]/);
  return !/^[a-z][a-z0-9+.-]*:|%2e|%2f|%5c|\0/i.test(path) && parts.every((part) => part !== "" && part !== "..");
}
