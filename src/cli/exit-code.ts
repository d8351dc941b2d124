// Exit codes as systemd and sysexits(3) know them: RestartPreventExitStatus=2 77 78 stops at what a restart cannot cure.
import type { FailureKind } from "../daemon/start-error.ts";

export const ExitCode = {
  ok: 0,
  runtime: 1,
  usage: 2,
  unavailable: 69,
  temporary: 75,
  credentials: 77,
  configuration: 78,
  interrupted: 130,
} as const satisfies Record<FailureKind | "ok", number>;
