import { homedir } from "node:os";

/** The user's home; "/" for a user without a name, as containers have them. Not only $HOME, which mount(8) takes away. */
export function homeDirectory(): string {
  try {
    return homedir();
  } catch {
    return "/";
  }
}
