/**
 * Official weight files: path in the model's repository, size, sha256. Read from the Git LFS pointers of public copies of
 * the repositories (facts; see THIRD-PARTY.md). A model that is not here is trusted on first use.
 */
import type { KnownFile } from "./types.ts";

export const KNOWN_FILES: Readonly<Record<string, readonly KnownFile[]>> = {
  "Xenova/all-MiniLM-L6-v2": [
    {
      path: "onnx/model.onnx",
      bytes: 90387606,
      sha256: "759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e",
    },
    {
      path: "onnx/model_fp16.onnx",
      bytes: 45297825,
      sha256: "2cdb5e58291813b6d6e248ed69010100246821a367fa17b1b81ae9483744533d",
    },
    {
      path: "onnx/model_int8.onnx",
      bytes: 22972370,
      sha256: "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1",
    },
    {
      path: "onnx/model_quantized.onnx",
      bytes: 22972370,
      sha256: "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1",
    },
  ],
  "Xenova/gte-small": [
    {
      path: "onnx/model.onnx",
      bytes: 133093491,
      sha256: "b9c15a9afac5d465bda995eca8010fac61efc79c827bc980085810e37d271795",
    },
    {
      path: "onnx/model_quantized.onnx",
      bytes: 34014427,
      sha256: "34440558460f3d0d05fda102ade2d2a0672d112dd8c05b540c8fc3bc2051db90",
    },
  ],
  "avsolatorio/NoInstruct-small-Embedding-v0": [
    {
      path: "model.safetensors",
      bytes: 133462128,
      sha256: "831a0c15cd73d37ef70185fd446b873d8018ed6b6a108cbedb8efb8f42d6997e",
    },
  ],
  "moka-ai/m3e-small": [
    {
      path: "pytorch_model.bin",
      bytes: 95843657,
      sha256: "78fbbe22d9bc31a59a95dfd1b1ceb4f9b65cf4ddf54d948a20952789c9ec4973",
    },
  ],
  "sentence-transformers/all-MiniLM-L6-v2": [
    {
      path: "model.safetensors",
      bytes: 90868376,
      sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    {
      path: "onnx/model.onnx",
      bytes: 90405214,
      sha256: "6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
    },
    {
      path: "onnx/model_O1.onnx",
      bytes: 90360328,
      sha256: "1391c6fc20b5530250bc15cbe1f47578ffeca55ab0551d335cc668b6299a88ec",
    },
    {
      path: "onnx/model_O2.onnx",
      bytes: 90326566,
      sha256: "1de3905029190b398c7d300b530e320cf4b5e7d3dfb9af1429ebd73fd9a16faf",
    },
    {
      path: "onnx/model_O3.onnx",
      bytes: 90326497,
      sha256: "a44f671e364dddbac31f203f07b91be6b0a35e51936e5ebfab65b6d9538b83ff",
    },
    {
      path: "onnx/model_O4.onnx",
      bytes: 45212349,
      sha256: "1667d7f3ba669048b13a96ee3a44456d5e42c8f44588ae8b603430e16160c485",
    },
    {
      path: "onnx/model_qint8_arm64.onnx",
      bytes: 23026053,
      sha256: "4278337fd0ff3c68bfb6291042cad8ab363e1d9fbc43dcb499fe91c871902474",
    },
    {
      path: "onnx/model_qint8_avx512.onnx",
      bytes: 23026053,
      sha256: "4278337fd0ff3c68bfb6291042cad8ab363e1d9fbc43dcb499fe91c871902474",
    },
    {
      path: "onnx/model_qint8_avx512_vnni.onnx",
      bytes: 23026053,
      sha256: "4278337fd0ff3c68bfb6291042cad8ab363e1d9fbc43dcb499fe91c871902474",
    },
    {
      path: "onnx/model_quint8_avx2.onnx",
      bytes: 23046789,
      sha256: "b941bf19f1f1283680f449fa6a7336bb5600bdcd5f84d10ddc5cd72218a0fd21",
    },
    {
      path: "openvino/openvino_model.bin",
      bytes: 90265744,
      sha256: "8b86cab4722e2aefab310cf96d4d5a9eb3b187f7d9670a082afc55c7fa0d392a",
    },
    {
      path: "openvino/openvino_model_qint8_quantized.bin",
      bytes: 22933664,
      sha256: "c92ea4af3c6bc7b4a0f3b3d61b147c850f4dbdd7c9e7beee0c0c70dc12da289b",
    },
    {
      path: "pytorch_model.bin",
      bytes: 90888945,
      sha256: "c3a85f238711653950f6a79ece63eb0ea93d76f6a6284be04019c53733baf256",
    },
    {
      path: "rust_model.ot",
      bytes: 90887379,
      sha256: "2d98d96d278348988f2744e6445b8bc16d921c3f6e17c667362f3cb353007aea",
    },
    {
      path: "tf_model.h5",
      bytes: 91005696,
      sha256: "24c06a7429b843d46e40c6b167122053921bf94dce2e5550ea5c07fabc597646",
    },
  ],
  "sentence-transformers/all-mpnet-base-v2": [
    {
      path: "model.safetensors",
      bytes: 437971872,
      sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    },
    {
      path: "onnx/model.onnx",
      bytes: 435826548,
      sha256: "74187b16d9c946fea252e120cfd7a12c5779d8b8b86838a2e4c56573c47941bd",
    },
    {
      path: "onnx/model_O1.onnx",
      bytes: 435730180,
      sha256: "5c0b47004076ab40bf15a2c52b98a53e985ebb84faaeeb6d2551768f96e384b0",
    },
    {
      path: "onnx/model_O2.onnx",
      bytes: 435666661,
      sha256: "14d01256f5f3d2245b15b596173bca4367c9405fde5700dd7fb4e110708c1793",
    },
    {
      path: "onnx/model_O3.onnx",
      bytes: 435666516,
      sha256: "dd55510706038d0817b7d41bf2078f01472e4865190584ad624e8ab79bbcb310",
    },
    {
      path: "onnx/model_O4.onnx",
      bytes: 217894954,
      sha256: "cab2a54139fc4fd5b8e2a23cb5729ee28dc44cfde685ad3356d533653e635310",
    },
    {
      path: "onnx/model_qint8_arm64.onnx",
      bytes: 110124379,
      sha256: "c392a9c545c7d4438a16fed8287a76a576b27eaf029c1c23bbf78a7a666d197f",
    },
    {
      path: "onnx/model_qint8_avx512.onnx",
      bytes: 110124379,
      sha256: "c392a9c545c7d4438a16fed8287a76a576b27eaf029c1c23bbf78a7a666d197f",
    },
    {
      path: "onnx/model_qint8_avx512_vnni.onnx",
      bytes: 110124379,
      sha256: "c392a9c545c7d4438a16fed8287a76a576b27eaf029c1c23bbf78a7a666d197f",
    },
    {
      path: "onnx/model_quint8_avx2.onnx",
      bytes: 110207323,
      sha256: "aa5c27172d77bbd1cbae3628cbac4b26d7c12adabff25d2d4285d0f29159b237",
    },
    {
      path: "openvino/openvino_model.bin",
      bytes: 435583684,
      sha256: "5c3279d833888eaab745e24b652126c5a71375af185ac21aa47e112e2468dec0",
    },
    {
      path: "openvino/openvino_model_qint8_quantized.bin",
      bytes: 109974792,
      sha256: "fde0c650018f5e244f793316b666aaf4758d4e19072f430e59eb2bcc414895ce",
    },
    {
      path: "pytorch_model.bin",
      bytes: 438011953,
      sha256: "a8fd120b1a0032e70ff3d4b8ab8e46a6d01c2cb08ffe7c007a021c1788928146",
    },
  ],
};
