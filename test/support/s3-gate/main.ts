// Runs a Gate as a process: its argument is the server's URL, and its parent speaks to it over IPC.
import { Gate, type GateFault } from "./gate.ts";

/** What the parent may ask for. */
export type GateCommand =
  | { readonly do: "log"; readonly from: number }
  | { readonly do: "latency"; readonly ms: number }
  | { readonly do: "fault"; readonly fault: GateFault }
  | { readonly do: "clear" }
  | { readonly do: "refuse" }
  | { readonly do: "accept" };

const gate = await Gate.start(process.argv[2] ?? "", Number(process.argv[3] ?? 0));

async function obey(command: GateCommand): Promise<unknown> {
  switch (command.do) {
    case "log":
      return gate.log.slice(command.from);
    case "latency":
      gate.latencyMs = command.ms;
      return undefined;
    case "fault":
      gate.faults.add(command.fault);
      return undefined;
    case "clear":
      gate.faults.clear();
      return undefined;
    case "refuse":
      return gate.refuse();
    case "accept":
      return gate.accept();
    default:
      return command satisfies never;
  }
}

process.on("message", ({ id, command }: { id: number; command: GateCommand }) => {
  // both ends tell the parent
  void obey(command).then(
    (result) => process.send?.({ id, result }),
    (error: unknown) => process.send?.({ id, error: String(error) }),
  );
});
// nobody is left to speak to
process.once("disconnect", () => process.exit(0));
process.send?.({ id: 0, result: gate.endpoint });
