// Words of fstab and mount(8) that are not ours: what becomes of each.

// nosuid and nodev are always on: mount.fuse3 adds dev and suid of its own accord, so those are no wish of the user
const swallowed = new Set([
  ..."auto,noauto,user,nouser,users,nousers,owner,group,_netdev,nofail,defaults,async,loud,silent".split(
    ",",
  ),
  ..."rw,dev,suid,nodev,nosuid,exec,default_permissions,helper,uhelper,comment,fsname,subtype".split(
    ",",
  ),
]);

const passedOn = new Set(
  "noexec,atime,noatime,diratime,nodiratime,relatime,norelatime,strictatime,nostrictatime,lazytime,nolazytime,sync,dirsync,iversion,noiversion".split(
    ",",
  ),
);

/** What a word of an option list means: nothing to us, a flag for the kernel, read-only, or undefined: an option of ours. */
export function mountWord(name: string): "swallowed" | "passed on" | "read only" | undefined {
  if (name === "ro") return "read only";
  if (swallowed.has(name) || /^x-/i.test(name)) return "swallowed";
  return passedOn.has(name) ? "passed on" : undefined;
}
