import type { PosixDriver } from "./posix-driver.ts";

/** A driver whose "/" is a directory of another one. */
export function driverBelow(directory: string, driver: PosixDriver): PosixDriver {
  const at = (path: string): string => `${directory}${path}`;
  return {
    ...driver,
    lstat: (path) => driver.lstat(at(path)),
    open: (path, flags, mode) => driver.open(at(path), flags, mode),
    mkdir: (path, mode) => driver.mkdir(at(path), mode),
    mknod: (path, mode) => driver.mknod(at(path), mode),
    symlink: (target, path) => driver.symlink(target, at(path)),
    readlink: (path) => driver.readlink(at(path)),
    link: (from, to) => driver.link(at(from), at(to)),
    unlink: (path) => driver.unlink(at(path)),
    rmdir: (path) => driver.rmdir(at(path)),
    rename: (from, to, flags) => driver.rename(at(from), at(to), flags),
    chmod: (path, mode) => driver.chmod(at(path), mode),
    chown: (path, uid, gid) => driver.chown(at(path), uid, gid),
    truncate: (path, size) => driver.truncate(at(path), size),
    utimens: (path, atime, mtime) => driver.utimens(at(path), atime, mtime),
    readdir: (path) => driver.readdir(at(path)),
    getxattr: (path, name) => driver.getxattr(at(path), name),
    setxattr: (path, name, value, flags) => driver.setxattr(at(path), name, value, flags),
    listxattr: (path) => driver.listxattr(at(path)),
    removexattr: (path, name) => driver.removexattr(at(path), name),
  };
}
