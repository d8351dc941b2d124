// Words of fstab and mount(8) that are not ours: what becomes of each.

// nosuid and nodev are always on: mount.fuse3 adds dev and suid of its own accord, so those are no wish of the user
const swallowed = new Set([
  ..."auto,noauto,user,nouser,users,nousers,owner,group,noowner,nogroup,nofail,mand,nomand,defaults,async,loud,silent".split(
    ",",
  ),
  ..."rw,dev,suid,nodev,nosuid,exec,default_permissions,helper,uhelper,comment,fsname,subtype".split(
    ",",
  ),
  // of mountinfo, which mount(8) adds to a remount
  ..."user_id,group_id,rootmode,fd,max_read,blksize".split(","),
]);

// _netdev tells systemd what the mount needs also where it is seen in mountinfo only
const passedOn = new Set(
  "_netdev,noexec,atime,noatime,diratime,nodiratime,relatime,norelatime,strictatime,nostrictatime,lazytime,nolazytime,sync,dirsync,iversion,noiversion".split(
    ",",
  ),
);

/** What a word of an option list means: nothing to us, one for mount(8), or undefined: an option of ours. */
export function mountWord(
  name: string,
): "swallowed" | "passed on" | "read only" | "remount" | undefined {
  if (name === "ro") return "read only";
  if (name === "remount") return "remount";
  if (swallowed.has(name) || /^x-/i.test(name)) return "swallowed";
  return passedOn.has(name) ? "passed on" : undefined;
}
