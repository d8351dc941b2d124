#!/usr/bin/env node
// What mount(8) calls for a line of type pailfs or fuse.pailfs.
require("./prepare.js");
void import("../dist/cli/mount-helper.js").then(({ helperMain }) =>
  helperMain("mount", "mount.pailfs"),
);
