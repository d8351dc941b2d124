// Answers: XML text, S3 error bodies.

/** An S3 error answer; thrown by handlers, written by the server. */
export class S3Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly extra: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    message: string = code,
    extra: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.extra = extra;
    this.headers = headers;
  }
}

/** Text inside an XML element. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (c) => entities[c] ?? c);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#13;",
};

/** One element with escaped text. */
export function element(name: string, text: string | number | boolean): string {
  return `<${name}>${escapeXml(String(text))}</${name}>`;
}

/** A whole document of root `name`. */
export function xmlDocument(name: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${name}>`;
}

/** The body of an error answer. */
export function errorDocument(refusal: S3Refusal, resource: string, requestId: string): string {
  const extra = Object.entries(refusal.extra).map(([name, text]) => element(name, text));
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${element("Code", refusal.code)}` +
    `${element("Message", refusal.message)}${extra.join("")}${element("Resource", resource)}` +
    `${element("RequestId", requestId)}</Error>`
  );
}
