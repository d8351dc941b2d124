#!/usr/bin/env node
// What umount(8) calls for a mount of type fuse.pailfs.
require("./prepare.js");
void import("../dist/cli/mount-helper.js").then(({ helperMain }) =>
  helperMain("umount", "umount.pailfs"),
);
