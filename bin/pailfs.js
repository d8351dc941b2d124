#!/usr/bin/env node
// CommonJS, see package.json beside it: Node 20's loader of ES modules starts the thread pool before their first line.
process.env.UV_THREADPOOL_SIZE ??= "16";
void import("../dist/cli/main.js").then(({ main }) => main());
