/** Keys as Synapse, other tools and users make them. */
export const oddKeys: readonly string[] = [
  "local_content/AA/BB/abcdefghijklmnopqrst",
  "remote_content/example.org:8448/AA/BB/x",
  "remote_content/[2001:db8::1]:8448/AA/BB/x",
  "remote_thumbnail/matrix.example.org/AA/BB/x/32-32-image-png-crop",
  "url_cache/2026-11-20/abcdefghijklmnop",
  "a b/c  d",
  "plus+plus/per%cent/%20/%zz",
  "amp&amp;/<lt>/\"quote\"/'apos'",
  "unicode/ü/日本/😀/e\u0301",
  "sub!$(),;=@~*/-_./.hidden/..hidden",
  "question?mark/hash#tag/back\\slash|{}^`",
];
