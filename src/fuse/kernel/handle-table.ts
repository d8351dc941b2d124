import { FsError } from "../../posix/errno.ts";

/** fh numbers of the kernel's open files or directories; a number is never used twice. */
export class HandleTable<T> {
  readonly #handles = new Map<number, T>();
  #last = 0;

  get size(): number {
    return this.#handles.size;
  }

  add(handle: T): number {
    this.#handles.set(++this.#last, handle);
    return this.#last;
  }

  /** EBADF for a number that is not open. */
  get(fh: number): T {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError("EBADF", `Cannot find open file ${fh}`);
    return handle;
  }

  /** Takes the handle out; undefined when it is not there. */
  remove(fh: number): T | undefined {
    const handle = this.#handles.get(fh);
    this.#handles.delete(fh);
    return handle;
  }

  /** Takes all handles out. */
  drain(): T[] {
    const all = [...this.#handles.values()];
    this.#handles.clear();
    return all;
  }
}
