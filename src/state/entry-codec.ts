// NamespaceEntry and LocalAttributes as bytes: about 45 bytes for an uploaded file.
import type { LocalAttributes, NamespaceEntry } from "./namespace-entry.ts";
import type { RecordReader } from "./record-reader.ts";
import type { RecordWriter } from "./record-writer.ts";

// One bit per optional field or shortcut; the order of the fields is that of the code below.
const HAS_RDEV = 1 << 0;
const HAS_ATIME = 1 << 1; // else as mtime
const HAS_CTIME = 1 << 2; // else as mtime
const ETAG_SHIFT = 3; // two bits: none, text, MD5, MD5 with a part count
const HAS_KEY = 1 << 5;
const HAS_STAGED = 1 << 6;
const HAS_TARGET = 1 << 7;
const HAS_XATTRS = 1 << 8;
const LOCAL = 1 << 9;
const ATTRIBUTED = 1 << 10;
const MARKER = 1 << 11;
const HAS_UNTIL = 1 << 12; // else Infinity
const LISTED_SHIFT = 13; // two bits: absent, finite, Infinity, extended
const FOLDER_MARKER = 1 << 15;

const EtagForm = { none: 0, text: 1, md5: 2, multipart: 3 } as const;
// extended: the form follows, and describedAt; all bits of the flags are taken
const Listed = { absent: 0, finite: 1, infinite: 2, extended: 3 } as const;

const md5Etag = /^([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?$/;

/** Appends `entry`; times in ms are kept whole and not below 0. */
export function writeEntry(writer: RecordWriter, entry: NamespaceEntry): void {
  const md5 = entry.etag === undefined ? undefined : md5Etag.exec(entry.etag);
  const etagForm = etagFormOf(entry.etag, md5);
  const listed = listedFormOf(entry.listedUntil);
  writer.uint16(
    flag(entry.rdev !== 0, HAS_RDEV) |
      flag(entry.atime !== entry.mtime, HAS_ATIME) |
      flag(entry.ctime !== entry.mtime, HAS_CTIME) |
      (etagForm << ETAG_SHIFT) |
      flag(entry.key !== undefined, HAS_KEY) |
      flag(entry.staged !== undefined, HAS_STAGED) |
      flag(entry.target !== undefined, HAS_TARGET) |
      flag(entry.xattrs !== undefined, HAS_XATTRS) |
      flag(entry.local === true, LOCAL) |
      flag(entry.attributed === true, ATTRIBUTED) |
      flag(entry.marker === true, MARKER) |
      flag(entry.folderMarker === true, FOLDER_MARKER) |
      flag(entry.until !== Infinity, HAS_UNTIL) |
      ((entry.describedAt === undefined ? listed : Listed.extended) << LISTED_SHIFT),
  );
  writer.uint16(entry.mode);
  writer.varint(entry.ino);
  writer.varint(entry.generation);
  writer.varint(entry.uid);
  writer.varint(entry.gid);
  writer.varint(entry.size);
  writer.int64(entry.mtime);
  if (entry.rdev !== 0) writer.varint(entry.rdev);
  if (entry.atime !== entry.mtime) writer.int64(entry.atime);
  if (entry.ctime !== entry.mtime) writer.int64(entry.ctime);
  if (md5 !== undefined && md5 !== null) {
    writer.hex(md5[1] ?? "");
    if (md5[2] !== undefined) writer.varint(Number(md5[2]));
  } else if (entry.etag !== undefined) writer.string(entry.etag);
  if (entry.key !== undefined) writer.string(entry.key);
  if (entry.staged !== undefined) writer.string(entry.staged);
  if (entry.target !== undefined) writer.string(entry.target);
  if (entry.xattrs !== undefined) writeXattrs(writer, entry.xattrs);
  if (entry.until !== Infinity) writer.varint(wholeMs(entry.until));
  if (entry.describedAt !== undefined) writer.varint(listed);
  if (listed === Listed.finite) writer.varint(wholeMs(entry.listedUntil ?? 0));
  if (entry.describedAt !== undefined) writer.varint(entry.describedAt);
}

/** Reads what writeEntry() wrote. */
export function readEntry(reader: RecordReader): NamespaceEntry {
  const flags = reader.uint16();
  const mode = reader.uint16();
  const ino = reader.varint();
  const generation = reader.varint();
  const uid = reader.varint();
  const gid = reader.varint();
  const size = reader.varint();
  const mtime = reader.int64();
  const rdev = flags & HAS_RDEV ? reader.varint() : 0;
  const atime = flags & HAS_ATIME ? reader.int64() : mtime;
  const ctime = flags & HAS_CTIME ? reader.int64() : mtime;
  const etag = readEtag(reader, (flags >> ETAG_SHIFT) & 3);
  const entry: Mutable<NamespaceEntry> = {
    ino,
    generation,
    mode,
    uid,
    gid,
    rdev,
    size,
    atime,
    mtime,
    ctime,
    until: 0,
  };
  if (etag !== undefined) entry.etag = etag;
  if (flags & HAS_KEY) entry.key = reader.string();
  if (flags & HAS_STAGED) entry.staged = reader.string();
  if (flags & HAS_TARGET) entry.target = reader.string();
  if (flags & HAS_XATTRS) entry.xattrs = readXattrs(reader);
  if (flags & LOCAL) entry.local = true;
  if (flags & ATTRIBUTED) entry.attributed = true;
  if (flags & MARKER) entry.marker = true;
  if (flags & FOLDER_MARKER) entry.folderMarker = true;
  entry.until = flags & HAS_UNTIL ? reader.varint() : Infinity;
  const form = (flags >> LISTED_SHIFT) & 3;
  const listed = form === Listed.extended ? reader.varint() : form;
  if (listed === Listed.finite) entry.listedUntil = reader.varint();
  else if (listed === Listed.infinite) entry.listedUntil = Infinity;
  if (form === Listed.extended) entry.describedAt = reader.varint();
  return entry;
}

const ATTRIBUTE_RDEV = 1 << 0;
const ATTRIBUTE_ATIME = 1 << 1;
const ATTRIBUTE_MTIME = 1 << 2;
const ATTRIBUTE_CTIME = 1 << 3;
const ATTRIBUTE_TARGET = 1 << 4;
const ATTRIBUTE_XATTRS = 1 << 5;

/** Appends local attributes. */
export function writeAttributes(writer: RecordWriter, attributes: LocalAttributes): void {
  const { rdev, atime, mtime, ctime, target, xattrs } = attributes;
  writer.uint16(
    flag(rdev !== undefined, ATTRIBUTE_RDEV) |
      flag(atime !== undefined, ATTRIBUTE_ATIME) |
      flag(mtime !== undefined, ATTRIBUTE_MTIME) |
      flag(ctime !== undefined, ATTRIBUTE_CTIME) |
      flag(target !== undefined, ATTRIBUTE_TARGET) |
      flag(xattrs !== undefined, ATTRIBUTE_XATTRS),
  );
  writer.uint16(attributes.mode);
  writer.varint(attributes.uid);
  writer.varint(attributes.gid);
  if (rdev !== undefined) writer.varint(rdev);
  if (atime !== undefined) writer.int64(atime);
  if (mtime !== undefined) writer.int64(mtime);
  if (ctime !== undefined) writer.int64(ctime);
  if (target !== undefined) writer.string(target);
  if (xattrs !== undefined) writeXattrs(writer, xattrs);
}

/** Reads what writeAttributes() wrote. */
export function readAttributes(reader: RecordReader): LocalAttributes {
  const flags = reader.uint16();
  const attributes: Mutable<LocalAttributes> = {
    mode: reader.uint16(),
    uid: reader.varint(),
    gid: reader.varint(),
  };
  if (flags & ATTRIBUTE_RDEV) attributes.rdev = reader.varint();
  if (flags & ATTRIBUTE_ATIME) attributes.atime = reader.int64();
  if (flags & ATTRIBUTE_MTIME) attributes.mtime = reader.int64();
  if (flags & ATTRIBUTE_CTIME) attributes.ctime = reader.int64();
  if (flags & ATTRIBUTE_TARGET) attributes.target = reader.string();
  if (flags & ATTRIBUTE_XATTRS) attributes.xattrs = readXattrs(reader);
  return attributes;
}

type Mutable<T> = { -readonly [P in keyof T]: T[P] };

function flag(present: boolean, bit: number): number {
  return present ? bit : 0;
}

function wholeMs(time: number): number {
  return Math.max(0, Math.floor(time));
}

function etagFormOf(etag: string | undefined, md5: RegExpExecArray | null | undefined): number {
  if (etag === undefined) return EtagForm.none;
  if (md5 === null || md5 === undefined) return EtagForm.text;
  return md5[2] === undefined ? EtagForm.md5 : EtagForm.multipart;
}

function readEtag(reader: RecordReader, form: number): string | undefined {
  if (form === EtagForm.none) return undefined;
  if (form === EtagForm.text) return reader.string();
  const md5 = reader.hex(16);
  return form === EtagForm.md5 ? md5 : `${md5}-${reader.varint()}`;
}

function listedFormOf(listedUntil: number | undefined): number {
  if (listedUntil === undefined) return Listed.absent;
  return listedUntil === Infinity ? Listed.infinite : Listed.finite;
}

function writeXattrs(writer: RecordWriter, xattrs: Readonly<Record<string, Uint8Array>>): void {
  const all = Object.entries(xattrs);
  writer.varint(all.length);
  for (const [name, value] of all) {
    writer.string(name);
    writer.data(value);
  }
}

function readXattrs(reader: RecordReader): Record<string, Uint8Array> {
  const pairs: [string, Uint8Array][] = [];
  const count = reader.varint();
  for (let i = 0; i < count; i++) pairs.push([reader.string(), reader.data()]);
  // fromEntries defines own properties, so an xattr called "__proto__" is one too
  return Object.fromEntries(pairs);
}
