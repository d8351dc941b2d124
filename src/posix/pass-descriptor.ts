// Descriptors that come from another process: over a socket (unix(7), SCM_RIGHTS), or inherited at start.
import { FsError } from "./errno.ts";
import type { Caller, Koffi, Library } from "./syscalls.ts";

/** The calls behind mounts that another program makes for us. */
export interface DescriptorCalls {
  /** Two connected stream sockets, both close-on-exec; the caller closes them. */
  socketPair(): readonly [number, number];
  /** Takes the descriptor out of a message that has arrived; EAGAIN when none has, EBADF when it brings none. Close-on-exec. */
  receiveDescriptor(socket: number): number;
  /** Keeps an inherited descriptor from the programs that this process runs. */
  closeOnExec(fd: number): void;
}

const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT_CMSG_CLOEXEC = 0x40000040;
const FIOCLEX = 0x5451;

/** struct cmsghdr { size_t len; int level; int type } and one int, padded. */
const CONTROL_SIZE = 24;

/** Looks the calls up; throws where the C library or koffi lacks something. */
export function bindDescriptorCalls(
  koffi: Koffi,
  libc: Library,
  { check }: Caller,
): DescriptorCalls {
  const socketpair = libc.func(
    "int socketpair(int domain, int type, int protocol, _Out_ int *fds)",
  );
  const ioctl = libc.func("int ioctl(int fd, unsigned long request, int argument)");
  const recvmsg = bindReceive(koffi, libc);
  return {
    socketPair() {
      const fds: number[] = [-1, -1];
      check(socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, fds), "make a pair of sockets");
      const [ours = -1, theirs = -1] = fds;
      return [ours, theirs];
    },
    receiveDescriptor(socket) {
      const control = Buffer.alloc(CONTROL_SIZE);
      check(recvmsg(socket, control), "receive a descriptor");
      const isDescriptor =
        control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
      if (!isDescriptor) {
        throw new FsError("EBADF", "Cannot receive a descriptor: the message has none");
      }
      return control.readInt32LE(16);
    },
    closeOnExec(fd) {
      check(ioctl(fd, FIOCLEX, 0), `use descriptor ${fd}`);
    },
  };
}

function bindReceive(koffi: Koffi, libc: Library): (socket: number, control: Buffer) => number {
  koffi.struct("iovec", { base: "void *", length: "size_t" });
  koffi.struct("msghdr", {
    name: "void *",
    namelen: "uint32_t",
    iov: "iovec *",
    iovlen: "size_t",
    control: "void *",
    controllen: "size_t",
    flags: "int",
  });
  const recvmsg = libc.func("int64_t recvmsg(int fd, _Inout_ msghdr *message, int flags)");
  return (socket, control) => {
    // a descriptor travels with at least one byte
    const iov = { base: Buffer.alloc(1), length: 1 };
    const message = {
      name: null,
      namelen: 0,
      iov,
      iovlen: 1,
      control,
      controllen: control.length,
      flags: 0,
    };
    return recvmsg(socket, message, MSG_DONTWAIT_CMSG_CLOEXEC) as number;
  };
}
