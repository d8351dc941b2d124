// Before anything else of ours is loaded. CommonJS, see package.json beside it: Node 20's loader of ES modules starts the
// thread pool before their first line.
process.env.UV_THREADPOOL_SIZE ??= "16";
try {
  // not Node's default below /tmp, where others could leave code for us; Node 20 has no such cache
  require("node:module").enableCompileCache?.(`${require("node:os").homedir()}/.cache/pailfs-code`);
} catch {
  // a user without a home does without
}
