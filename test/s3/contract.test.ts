import {
  gofakes3,
  loopbackServer,
  minio,
  minioTls,
  versitygw,
  withConfig,
} from "../support/s3-servers.ts";
import { objectStoreContract } from "./contract.ts";

objectStoreContract(loopbackServer("as AWS", {}));
objectStoreContract(
  loopbackServer(
    "with Garage's quirks",
    {
      ignoreConditionalPut: true,
      encodeSlash: true,
      encodingType: "plus",
      smallParts: true,
      completeAgain404: true,
    },
    { conditionalPut: false, minPartSize: false, provider: "garage" },
  ),
);
objectStoreContract(
  loopbackServer(
    "with RGW's quirks",
    {
      ifMatchOnPutAlways412: true,
      unquotedCopyEtag: true,
      ignoreCopySourceIfMatch: true,
      strayPartFailsComplete: true,
    },
    { conditionalPut: false, provider: "ceph" },
  ),
);
objectStoreContract(
  loopbackServer(
    "with every dialect at once",
    {
      ignoreIfMatchOnGet: true,
      ignoreCopySourceIfMatch: true,
      repeatCommonPrefixes: true,
      listOrder: "walk",
      encodingType: "echoed",
      noKeyCount: true,
      etagsInListings: "none",
      noCopy: true,
      noUploadPartCopy: true,
      equalPartsOnly: true,
      opaqueMultipartEtag: true,
      completeAgain404: true,
      refuseChecksumHeaders: 400,
      ignoreRange: true,
      ignoreConditionalPut: true,
    },
    { conditionalPut: false, provider: "generic" },
  ),
);
const customer = {
  encryption: { kind: "customer", key: Buffer.alloc(32, "k").toString("base64") },
} as const;
objectStoreContract(withConfig(loopbackServer("as AWS", {}), "with SSE-C", customer));
objectStoreContract(
  withConfig(
    loopbackServer("without copies", { noCopy: true, noUploadPartCopy: true }),
    "with SSE-C",
    customer,
  ),
);
objectStoreContract(
  withConfig(
    loopbackServer("whose bucket has a KMS key and a payer", {
      bucketEncryption: "aws:kms",
      requesterPays: true,
    }),
    "with requester_pays",
    { requesterPays: true },
  ),
);
objectStoreContract(versitygw);
objectStoreContract(gofakes3);
objectStoreContract(minio);
objectStoreContract(withConfig(minioTls, "with SSE-C", customer));
