# Runs Python statements for a test, one JSON line each way: system calls that Node lacks, and other users than root.
# argv: uid gid, or nothing. Variables stay between calls, so descriptors and mappings can be kept.
import ctypes
import errno
import fcntl
import json
import mmap
import os
import socket
import stat
import sys

if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[1]))

libc = ctypes.CDLL(None, use_errno=True)


def renameat2(old, new, flags):
    at_fdcwd = -100
    if libc.renameat2(at_fdcwd, os.fsencode(old), at_fdcwd, os.fsencode(new), flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fallocate(fd, mode, offset, length):
    call = libc.fallocate
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if call(fd, mode, offset, length) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


scope = {
    name: globals()[name]
    for name in ("errno", "fcntl", "mmap", "os", "socket", "stat", "renameat2", "fallocate")
}
os.umask(0o022)
for line in sys.stdin:
    message = json.loads(line)
    answer = {"id": message["id"]}
    try:
        scope.update(message["variables"])
        scope["result"] = None
        exec(message["code"], scope)
        answer["result"] = scope["result"]
    except OSError as error:
        # Python prefers the other name of 95
        name = errno.errorcode.get(error.errno, str(error.errno))
        answer["code"] = "EOPNOTSUPP" if name == "ENOTSUP" else name
        answer["message"] = str(error)
    except Exception as error:
        answer["code"] = "EPYTHON"
        answer["message"] = repr(error)
    print(json.dumps(answer), flush=True)
